//! Typed indexes and the tables that they lead into. An entry is never moved or reused, so an index stays
//! good.

use std::marker::PhantomData;

/// An index into one kind of table.
pub(crate) trait Index: Copy {
    /// From a number.
    fn new(number: u32) -> Self;
    /// The number.
    fn number(self) -> u32;
}

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) u32);
        impl Index for $name {
            fn new(number: u32) -> Self { Self(number) }
            fn number(self) -> u32 { self.0 }
        }
    )*};
}

index! {
    /// A directory user, deleted ones too.
    UserIx;
    /// A directory group, deleted ones too.
    GroupIx;
    /// An account ever claimed.
    AccountIx;
    /// A connection ever seen.
    ConnectionIx;
    /// An app role's text.
    AppRoleIx;
    /// An app role as some identity provider assigned it, with its evidence.
    AssignedIx;
    /// A grant that some app role leads to.
    GrantIx;
}

/// A growing table.
#[derive(Debug, Clone)]
pub(crate) struct Slab<I, T> {
    entries: Vec<T>,
    kind: PhantomData<fn(I)>,
}

impl<I, T> Default for Slab<I, T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            kind: PhantomData,
        }
    }
}

impl<I: Index, T> Slab<I, T> {
    /// The index that the next entry will have.
    pub(crate) fn next(&self) -> I {
        I::new(u32::try_from(self.entries.len()).unwrap_or(u32::MAX))
    }
    pub(crate) fn push(&mut self, entry: T) -> I {
        let index = self.next();
        self.entries.push(entry);
        index
    }
    pub(crate) fn get(&self, index: I) -> Option<&T> {
        self.entries.get(index.number() as usize)
    }
    pub(crate) fn get_mut(&mut self, index: I) -> Option<&mut T> {
        self.entries.get_mut(index.number() as usize)
    }
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
    /// True when no entry more may be added.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= u32::MAX as usize - 1
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        (0u32..).map(I::new).zip(&self.entries)
    }
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        (0u32..).map(I::new).zip(&mut self.entries)
    }
    /// The entries from `start` on, at most `count`.
    pub(crate) fn page(&self, start: usize, count: usize) -> impl Iterator<Item = (I, &T)> {
        let end = start.saturating_add(count).min(self.entries.len());
        let first = u32::try_from(start).unwrap_or(u32::MAX);
        (first..)
            .map(I::new)
            .zip(self.entries.get(start..end).unwrap_or_default())
    }
}
