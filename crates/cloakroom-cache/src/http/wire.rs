//! Entries as bytes.
//!
//! Version 1, numbers big-endian, `text` a length of four bytes and so many bytes:
//!
//! | bytes | holds |
//! |---|---|
//! | 1 | the version, 1 |
//! | 8 | the run of the handler |
//! | 8 | when it came, in µs since 1970 |
//! | 1 | 0 for nothing to store, and then the number of the reason; 1 for a response, and then: |
//! | 2 | the status |
//! | 1 | flags: 1 if no principal is part of the key, 2 if a fresh time was assumed |
//! | 8 | the fresh time that was assumed, in s |
//! | 4 | how many headers it varies by; for each its name, 1 or 0, and a hash of what the request said in it |
//! | 4 | how many headers follow; for each its name and its value |
//! | … | the body |
//!
//! What is anything else is a miss.

use super::{
    entry::{Entry, Kind, Page, Parts},
    reason::Reason,
};
use crate::Codec;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};

const VERSION: u8 = 1;
const PASS: u8 = 0;
const PAGE: u8 = 1;
const SHARED: u8 = 1;
const ASSUMED: u8 = 2;

/// The codec of entries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wire;

impl Codec<Entry> for Wire {
    fn encode(&self, entry: &Entry) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let mut to = Writer(Vec::with_capacity(256));
        let came = entry.came - OffsetDateTime::UNIX_EPOCH;
        to.0.push(VERSION);
        to.0.extend(entry.run.to_be_bytes());
        to.0.extend(i64::try_from(came.whole_microseconds())?.to_be_bytes());
        match &entry.kind {
            Kind::Pass(reason) => {
                let number = Reason::ALL.iter().position(|other| other == reason);
                to.0.push(PASS);
                to.0.push(u8::try_from(number.unwrap_or_default())?);
            }
            Kind::Page(page) => {
                to.0.push(PAGE);
                to.page(page)?;
            }
        }
        Ok(to.0)
    }

    fn decode(&self, bytes: &[u8]) -> Option<Entry> {
        let mut from = Reader(bytes);
        if from.byte()? != VERSION {
            return None;
        }
        let run = u64::from_be_bytes(from.array()?);
        let came = Duration::microseconds(i64::from_be_bytes(from.array()?));
        let came = OffsetDateTime::UNIX_EPOCH.checked_add(came)?;
        let kind = match from.byte()? {
            PASS => {
                let reason = Reason::ALL.get(usize::from(from.byte()?))?;
                from.0.is_empty().then_some(Kind::Pass(*reason))?
            }
            PAGE => Kind::Page(Arc::new(from.page(came)?)),
            _ => return None,
        };
        Some(Entry { run, came, kind })
    }
}

struct Writer(Vec<u8>);

type Written = Result<(), std::num::TryFromIntError>;

impl Writer {
    fn page(&mut self, page: &Page) -> Written {
        self.0.extend(page.status.as_u16().to_be_bytes());
        let shared = if page.shared { SHARED } else { 0 };
        let assumed = page.assumed.map_or(0, |_| ASSUMED);
        self.0.push(shared | assumed);
        self.0
            .extend(page.assumed.unwrap_or_default().to_be_bytes());
        self.count(page.vary.len())?;
        for (name, value) in page.vary.iter().zip(&page.chosen_by) {
            self.text(name.as_str().as_bytes())?;
            self.0.push(u8::from(value.is_some()));
            self.text(value.as_deref().unwrap_or_default())?;
        }
        self.count(page.headers.len())?;
        for (name, value) in &page.headers {
            self.text(name.as_str().as_bytes())?;
            self.text(value.as_bytes())?;
        }
        self.0.extend_from_slice(&page.body);
        Ok(())
    }

    fn count(&mut self, number: usize) -> Written {
        self.0.extend(u32::try_from(number)?.to_be_bytes());
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Written {
        self.count(text.len())?;
        self.0.extend_from_slice(text);
        Ok(())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn page(&mut self, came: OffsetDateTime) -> Option<Page> {
        let status = u16::from_be_bytes(self.array()?);
        let flags = self.byte()?;
        let assumed = u64::from_be_bytes(self.array()?);
        let (mut vary, mut chosen_by) = (Vec::new(), Vec::new());
        for _ in 0..self.count()? {
            vary.push(HeaderName::from_bytes(self.text()?).ok()?);
            let is_there = self.byte()? == 1;
            let value = self.text()?.to_vec();
            chosen_by.push(is_there.then_some(value));
        }
        let mut headers = HeaderMap::new();
        for _ in 0..self.count()? {
            let name = HeaderName::from_bytes(self.text()?).ok()?;
            headers.append(name, HeaderValue::from_bytes(self.text()?).ok()?);
        }
        (flags <= SHARED | ASSUMED).then_some(())?;
        Some(Page::new(Parts {
            status: StatusCode::from_u16(status).ok()?,
            headers,
            body: Bytes::copy_from_slice(self.0),
            vary,
            chosen_by,
            shared: flags & SHARED != 0,
            assumed: (flags & ASSUMED != 0).then_some(assumed),
            came,
        }))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u32::from_be_bytes(self.array()?)).ok()
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let came = OffsetDateTime::UNIX_EPOCH + Duration::days(20_000);
        let mut headers = HeaderMap::new();
        headers.append("link", HeaderValue::from_static("a"));
        headers.append("link", HeaderValue::from_bytes(b"b\xff").unwrap());
        let page = Page::new(Parts {
            status: StatusCode::NOT_FOUND,
            headers,
            body: Bytes::from_static(b"\0\xffbody"),
            vary: vec!["accept".parse().unwrap(), "x-a".parse().unwrap()],
            chosen_by: vec![Some(b"\xfe".to_vec()), None],
            shared: true,
            assumed: Some(7),
            came,
        });
        let kind = Kind::Page(Arc::new(page));
        Entry { run: 9, came, kind }
    }

    #[test]
    fn what_is_written_is_read() {
        let (ours, bytes) = (entry(), Wire.encode(&entry()).unwrap());
        let read = Wire.decode(&bytes).unwrap();
        assert_eq!((read.run, read.came), (ours.run, ours.came));
        let (ours, read) = (ours.page().unwrap(), read.page().unwrap());
        assert_eq!((read.status, &read.headers), (ours.status, &ours.headers));
        assert_eq!((&read.body, &read.vary), (&ours.body, &ours.vary));
        assert_eq!((&read.chosen_by, read.shared), (&ours.chosen_by, true));
        assert_eq!((read.assumed, read.fresh), (Some(7), Duration::seconds(7)));
        for reason in Reason::ALL {
            let kind = Kind::Pass(*reason);
            let bytes = Wire.encode(&Entry { kind, ..entry() }).unwrap();
            let read = Wire.decode(&bytes).unwrap();
            assert!(matches!(read.kind, Kind::Pass(same) if same == *reason));
        }
    }

    #[test]
    fn anything_else_is_a_miss() {
        let bytes = Wire.encode(&entry()).unwrap();
        let body = 6;
        for length in 0..bytes.len() - body {
            assert!(Wire.decode(&bytes[..length]).is_none(), "{length}");
        }
        let mut later = bytes.clone();
        later[0] = 2;
        assert!(Wire.decode(&later).is_none());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x80;
            // Whatever it says, it says it without a panic, and without taking all memory.
            let _ = Wire.decode(&damaged);
        }
    }
}
