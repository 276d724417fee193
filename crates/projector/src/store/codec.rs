//! Plain binary values: fixed numbers little-endian, counts as `u32`, texts and bytes with their length.

/// Writes a value.
#[derive(Debug, Default)]
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }
    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }
    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }
    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }
    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend(value.to_le_bytes());
    }
    pub(super) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
    pub(super) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.raw(text.as_bytes());
    }
    pub(super) fn option(&mut self, text: Option<&str>) {
        self.u8(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }
}

/// Why a stored value could not be read: what was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadValue;

/// Reads a value.
#[derive(Debug)]
pub(super) struct Reader<'b>(pub(super) &'b [u8]);

impl<'b> Reader<'b> {
    pub(super) fn raw(&mut self, count: usize) -> Result<&'b [u8], BadValue> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(BadValue)?;
        self.0 = tail;
        Ok(head)
    }
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], BadValue> {
        self.raw(N)?.try_into().map_err(|_| BadValue)
    }
    pub(super) fn u8(&mut self) -> Result<u8, BadValue> {
        self.array::<1>().map(|[byte]| byte)
    }
    pub(super) fn bool(&mut self) -> Result<bool, BadValue> {
        self.u8().map(|byte| byte != 0)
    }
    pub(super) fn u16(&mut self) -> Result<u16, BadValue> {
        self.array().map(u16::from_le_bytes)
    }
    pub(super) fn u32(&mut self) -> Result<u32, BadValue> {
        self.array().map(u32::from_le_bytes)
    }
    pub(super) fn u64(&mut self) -> Result<u64, BadValue> {
        self.array().map(u64::from_le_bytes)
    }
    pub(super) fn i64(&mut self) -> Result<i64, BadValue> {
        self.array().map(i64::from_le_bytes)
    }
    /// A count of things that take at least one byte each, so it is bounded by what is left.
    pub(super) fn count(&mut self) -> Result<usize, BadValue> {
        let count = self.u32()? as usize;
        if count <= self.0.len() {
            Ok(count)
        } else {
            Err(BadValue)
        }
    }
    pub(super) fn text(&mut self) -> Result<&'b str, BadValue> {
        let count = self.count()?;
        std::str::from_utf8(self.raw(count)?).map_err(|_| BadValue)
    }
    pub(super) fn option(&mut self) -> Result<Option<&'b str>, BadValue> {
        if self.bool()? {
            self.text().map(Some)
        } else {
            Ok(None)
        }
    }
}
