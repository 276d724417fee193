//! Keys of the store: tenant, kind, number.

/// What stands under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub(super) enum Kind {
    Header = 0,
    Connections = 1,
    Policy = 2,
    Catalog = 3,
    AppRoles = 4,
    Assigned = 5,
    Rules = 6,
    Groups = 7,
    Users = 8,
    Accounts = 9,
    Verdicts = 10,
    Guard = 11,
    Parts = 12,
    Queue = 13,
    /// A user's SCIM attributes; not part of the sum, checked by its revision.
    Document = 14,
}

impl Kind {
    /// In the order in which they are stored and must be loaded.
    pub(super) const ALL: [Self; 15] = [
        Self::Header,
        Self::Connections,
        Self::Policy,
        Self::Catalog,
        Self::AppRoles,
        Self::Assigned,
        Self::Rules,
        Self::Groups,
        Self::Users,
        Self::Accounts,
        Self::Verdicts,
        Self::Guard,
        Self::Parts,
        Self::Queue,
        Self::Document,
    ];
}

/// A key: a tenant's number, a kind, a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: u16,
    pub(super) kind: Kind,
    pub(super) page: u32,
}

impl Key {
    pub(super) fn bytes(self) -> [u8; 7] {
        let [t0, t1] = self.tenant.to_be_bytes();
        let [p0, p1, p2, p3] = self.page.to_be_bytes();
        [t0, t1, self.kind as u8, p0, p1, p2, p3]
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [t0, t1, kind, p0, p1, p2, p3] = <[u8; 7]>::try_from(bytes).ok()?;
        let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind)?;
        Some(Self {
            tenant: u16::from_be_bytes([t0, t1]),
            kind,
            page: u32::from_be_bytes([p0, p1, p2, p3]),
        })
    }
}
