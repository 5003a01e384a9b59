//! Where the frames of a RESP3 stream end.

/// A line longer than this is no RESP.
const LINE_LIMIT: usize = 64 * 1024;

/// Follows a RESP3 stream as it arrives, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// What has come of a line that has not ended.
    line: Vec<u8>,
    /// How many bytes of a string are still to come, its line end included.
    body: usize,
    /// How many elements each open aggregate still waits for, the innermost last.
    open: Vec<usize>,
}

/// What the bytes that were taken end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// Nothing.
    Inside,
    /// One element of a frame.
    Element,
    /// A whole frame.
    Frame,
}

/// The bytes are no RESP, or no longer: a replica's stream, or another protocol.
#[derive(Debug, PartialEq)]
pub(super) struct NotResp;

impl Frames {
    /// Takes bytes up to the end of the next line or string at most; says how many, and what they
    /// end.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<(usize, End), NotResp> {
        if self.body > 0 {
            let taken = self.body.min(bytes.len());
            self.body -= taken;
            let end = if self.body == 0 {
                self.complete()
            } else {
                End::Inside
            };
            return Ok((taken, end));
        }
        let newline = bytes.iter().position(|byte| *byte == b'\n');
        let taken = newline.map_or(bytes.len(), |at| at + 1);
        self.line.extend_from_slice(&bytes[..taken]);
        if !is_line_of_resp(&self.line) {
            return Err(NotResp);
        }
        let end = match newline {
            Some(_) => self.line_ends()?,
            None => End::Inside,
        };
        Ok((taken, end))
    }

    fn line_ends(&mut self) -> Result<End, NotResp> {
        let line = std::mem::take(&mut self.line);
        match line[0] {
            b'$' | b'!' | b'=' => Ok(match count(&line)? {
                None => self.complete(),
                Some(length) => {
                    self.body = length + 2;
                    End::Inside
                }
            }),
            b'*' | b'~' | b'>' => Ok(self.open(count(&line)?.unwrap_or(0))),
            b'%' => Ok(self.open(count(&line)?.unwrap_or(0) * 2)),
            // An attribute precedes the element that it is about: together they are one.
            b'|' => Ok(self.open(count(&line)?.unwrap_or(0) * 2 + 1)),
            _ => Ok(self.complete()),
        }
    }

    fn open(&mut self, elements: usize) -> End {
        if elements == 0 {
            return self.complete();
        }
        self.open.push(elements);
        End::Inside
    }

    /// One element is complete, and perhaps what it is the last of.
    fn complete(&mut self) -> End {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return End::Element;
            }
            self.open.pop();
        }
        End::Frame
    }
}

fn is_line_of_resp(line: &[u8]) -> bool {
    let starts = line
        .first()
        .is_none_or(|kind| b"+-:_,#($!=*~>%|".contains(kind));
    let replication = line.starts_with(b"+FULLRESYNC") || line.starts_with(b"+CONTINUE");
    starts && !replication && line.len() <= LINE_LIMIT
}

/// The number of a line, `None` for the null of RESP2.
fn count(line: &[u8]) -> Result<Option<usize>, NotResp> {
    let text = std::str::from_utf8(&line[1..]).map_err(|_| NotResp)?.trim();
    if text == "-1" {
        return Ok(None);
    }
    // Far above what a server sends: sums of it can't overflow.
    let number: u32 = text.parse().map_err(|_| NotResp)?;
    Ok(Some(number as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ends of all frames in `stream`, fed in pieces of `size` bytes.
    fn frame_ends(stream: &[u8], size: usize) -> Result<Vec<usize>, NotResp> {
        let (mut frames, mut at, mut ends) = (Frames::default(), 0, Vec::new());
        for mut piece in stream.chunks(size) {
            while !piece.is_empty() {
                let (taken, end) = frames.advance(piece)?;
                at += taken;
                piece = &piece[taken..];
                if end == End::Frame {
                    ends.push(at);
                }
            }
        }
        Ok(ends)
    }

    #[test]
    fn frames_of_every_type_end_where_they_end_however_they_are_cut() {
        let frames: [&[u8]; 14] = [
            b"+OK\r\n",
            b"-ERR no\r\n",
            b":-7\r\n",
            b"_\r\n",
            b",1.5\r\n",
            b"#t\r\n",
            b"(123456789012345678901234567890\r\n",
            b"$4\r\n\r\n>2\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"*2\r\n*0\r\n~1\r\n$0\r\n\r\n",
            b"%1\r\n+a\r\n=7\r\ntxt:abc\r\n",
            b"|1\r\n+ttl\r\n:9\r\n*1\r\n:1\r\n",
            b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n!2\r\nhi\r\n",
        ];
        let ends: Vec<usize> = frames
            .iter()
            .scan(0, |at, frame| {
                *at += frame.len();
                Some(*at)
            })
            .collect();
        let stream = frames.concat();
        for size in 1..=stream.len() {
            assert_eq!(
                frame_ends(&stream, size).as_ref(),
                Ok(&ends),
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn other_protocols_are_told_apart() {
        assert_eq!(frame_ends(b"HTTP/1.1 200 OK\r\n", 3), Err(NotResp));
        assert_eq!(frame_ends(b"\x16\x03\x01", 1), Err(NotResp));
        assert_eq!(frame_ends(b"$many\r\n", 7), Err(NotResp));
        assert_eq!(
            frame_ends(b"+FULLRESYNC 1f 0\r\n$3\r\nRDB", 9),
            Err(NotResp)
        );
        assert_eq!(frame_ends(&[b'+'; LINE_LIMIT + 1], 4096), Err(NotResp));
    }
}
