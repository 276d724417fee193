//! The ledger as bytes and back: what a checkpoint holds. Pure.
//!
//! Accounts are written a few at a time, so that the ledger is not locked for long; it may take in outcomes between two
//! of these steps. That does no harm when every outcome that came after the walk began is applied again, in order:
//! each field is what the last outcome said of it.

use rollcall_domain::{AccountKey, EventId, ExternalKey, FluentUserId, Grant, NameKey, Sealed, Sequence};
use serde::{Deserialize, Serialize};

use super::compact::{Compact, UserId};
use super::{LastStatus, Ledger, OpenIntent};

/// Bytes of the smallest account: key, flags, sequence, number of grants.
pub(crate) const ACCOUNT_BYTES_MIN: usize = 16 + 1 + 8 + 2;

const TEXT_USER: u8 = 1;
const NUMBER_USER: u8 = 2;
const CREATED: u8 = 4;
const CLAIMANT: u8 = 8;
/// Two bits: none, active, inactive, other.
const STATUS_SHIFT: u8 = 4;
const HELD: u8 = 64;
const DRIFT: u8 = 128;

/// The bytes are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadBytes;

/// An account that does not fit the form. No such thing is known of Fluent; the ledger then has no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// An open intent. Its end is left out: whoever loads it was not there, and waits a whole window.
#[derive(Serialize, Deserialize)]
struct StoredIntent {
    account: AccountKey,
    id: EventId,
    fluent_user: Option<FluentUserId>,
    create: bool,
    user_name: Option<Sealed>,
    grants: Vec<Grant>,
}

impl Ledger {
    /// Every account on record, in no order.
    pub(crate) fn keys(&self) -> Vec<AccountKey> {
        self.accounts.keys().copied().collect()
    }

    /// Appends these accounts.
    ///
    /// # Errors
    /// [`TooLarge`] for an account with more grants, or a longer Fluent id, than 16 bits count.
    pub(crate) fn write_accounts(&self, keys: &[AccountKey], to: &mut Vec<u8>) -> Result<(), TooLarge> {
        for key in keys {
            if let Some(account) = self.accounts.get(key) {
                to.extend_from_slice(&key.0);
                write_account(account, to)?;
            }
        }
        Ok(())
    }

    /// Appends every open intent. There are few: a lost answer leaves one for two minutes.
    pub(crate) fn write_open(&self, to: &mut Vec<u8>) {
        let all = self
            .open
            .iter()
            .flat_map(|(account, open)| open.iter().map(move |one| (account, one)));
        let stored = all.map(|(account, open)| StoredIntent {
            account: *account,
            id: open.id,
            fluent_user: open.fluent_user.clone(),
            create: open.create,
            user_name: open.user_name.clone(),
            grants: open.grants.iter().cloned().collect(),
        });
        let stored: Vec<StoredIntent> = stored.collect();
        to.extend_from_slice(&serde_json::to_vec(&stored).unwrap_or_default());
    }

    /// Appends the grants that the accounts name by number. Written after them: the numbers only grow.
    pub(crate) fn write_grants(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&serde_json::to_vec(self.grants.values()).unwrap_or_default());
    }

    /// Makes room before accounts are read.
    pub(crate) fn reserve(&mut self, accounts: usize) {
        self.accounts.reserve(accounts);
    }

    /// Takes in what [`Ledger::write_accounts`] wrote.
    pub(crate) fn read_accounts(&mut self, bytes: &[u8]) -> Result<(), BadBytes> {
        let mut reader = Reader(bytes);
        while !reader.0.is_empty() {
            let key = NameKey(reader.array()?);
            let account = read_account(&mut reader)?;
            self.accounts.insert(key, account);
        }
        Ok(())
    }

    /// Takes in what [`Ledger::write_open`] wrote.
    pub(crate) fn read_open(&mut self, bytes: &[u8]) -> Result<(), BadBytes> {
        let stored: Vec<StoredIntent> = serde_json::from_slice(bytes).map_err(|_| BadBytes)?;
        for intent in stored {
            self.open.entry(intent.account).or_default().push(OpenIntent {
                id: intent.id,
                fluent_user: intent.fluent_user,
                create: intent.create,
                user_name: intent.user_name,
                grants: intent.grants.into_iter().collect(),
                unsettled_until: None,
            });
        }
        Ok(())
    }

    /// Takes in what [`Ledger::write_grants`] wrote; the last thing to be read.
    pub(crate) fn read_grants(&mut self, bytes: &[u8]) -> Result<(), BadBytes> {
        let grants: Vec<Grant> = serde_json::from_slice(bytes).map_err(|_| BadBytes)?;
        for (number, grant) in (0u32..).zip(&grants) {
            if self.grants.intern(grant) != number {
                return Err(BadBytes);
            }
        }
        let known = |id: &u32| self.grants.get(*id).is_some();
        if self
            .accounts
            .values()
            .all(|account| account.owned.iter().all(known))
        {
            Ok(())
        } else {
            Err(BadBytes)
        }
    }
}

fn write_account(account: &Compact, to: &mut Vec<u8>) -> Result<(), TooLarge> {
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let status = match account.status {
        None => 0,
        Some(LastStatus::Active) => 1,
        Some(LastStatus::Inactive) => 2,
        Some(LastStatus::Other) => 3,
    };
    let user = match &account.user {
        None => 0,
        Some(UserId::Text(_)) => TEXT_USER,
        Some(UserId::Number(_)) => NUMBER_USER,
    };
    to.push(
        user | flag(account.created, CREATED)
            | flag(account.claimant.is_some(), CLAIMANT)
            | (status << STATUS_SHIFT)
            | flag(account.held != 0, HELD)
            | flag(account.drift != 0, DRIFT),
    );
    to.extend_from_slice(&account.serves.0.to_le_bytes());
    let length = |count: usize| u16::try_from(count).map_err(|_| TooLarge);
    to.extend_from_slice(&length(account.owned.len())?.to_le_bytes());
    for id in &account.owned {
        to.extend_from_slice(&id.to_le_bytes());
    }
    match &account.user {
        None => {}
        Some(UserId::Number(number)) => to.extend_from_slice(&number.to_le_bytes()),
        Some(UserId::Text(text)) => {
            to.extend_from_slice(&length(text.len())?.to_le_bytes());
            to.extend_from_slice(text.as_bytes());
        }
    }
    if let Some(ExternalKey(claimant)) = &account.claimant {
        to.extend_from_slice(claimant);
    }
    for print in [account.held, account.drift] {
        if print != 0 {
            to.extend_from_slice(&print.to_le_bytes());
        }
    }
    Ok(())
}

fn read_account(reader: &mut Reader<'_>) -> Result<Compact, BadBytes> {
    let [flags] = reader.array()?;
    let mut account = Compact {
        created: flags & CREATED != 0,
        status: match (flags >> STATUS_SHIFT) & 3 {
            0 => None,
            1 => Some(LastStatus::Active),
            2 => Some(LastStatus::Inactive),
            _ => Some(LastStatus::Other),
        },
        serves: Sequence(u64::from_le_bytes(reader.array()?)),
        ..Compact::default()
    };
    for _ in 0..u16::from_le_bytes(reader.array()?) {
        account.owned.push(u32::from_le_bytes(reader.array()?));
    }
    account.owned.shrink_to_fit();
    account.user = match flags & (TEXT_USER | NUMBER_USER) {
        0 => None,
        NUMBER_USER => Some(UserId::Number(u64::from_le_bytes(reader.array()?))),
        TEXT_USER => {
            let length = u16::from_le_bytes(reader.array()?);
            let text = std::str::from_utf8(reader.bytes(usize::from(length))?).map_err(|_| BadBytes)?;
            Some(UserId::Text(text.into()))
        }
        _ => return Err(BadBytes),
    };
    if flags & CLAIMANT != 0 {
        account.claimant = Some(ExternalKey(reader.array()?));
    }
    if flags & HELD != 0 {
        account.held = u64::from_le_bytes(reader.array()?);
    }
    if flags & DRIFT != 0 {
        account.drift = u64::from_le_bytes(reader.array()?);
    }
    Ok(account)
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], BadBytes> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BadBytes)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadBytes> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BadBytes)?;
        self.0 = rest;
        Ok(*taken)
    }
}
