//! A client of few lines: one connection, one request at a time, and it says how many bytes went.

use crate::Failure;
use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// A connection to one instance.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

/// What came back.
#[derive(Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `name=value` of each cookie that was set.
    pub cookies: Vec<String>,
    /// The body.
    pub body: String,
}

/// The text of a request.
#[must_use]
pub fn request(method: &str, path: &str, header: &str, body: &str) -> String {
    let header = if header.is_empty() {
        String::new()
    } else {
        format!("{header}\r\n")
    };
    let form = "content-type: application/x-www-form-urlencoded";
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: shop\r\n{header}{form}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

impl Client {
    /// Connects to an instance.
    ///
    /// # Errors
    ///
    /// If nobody listens.
    pub async fn connect(port: u16) -> Result<Self, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request, and reads its answer.
    ///
    /// # Errors
    ///
    /// If the connection breaks, or the answer is of a form that this client doesn't know.
    pub async fn send(&mut self, request: &str) -> Result<Answer, Failure> {
        self.0.get_mut().write_all(request.as_bytes()).await?;
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let status = line.split(' ').nth(1).ok_or("the connection has ended")?;
        let mut answer = Answer {
            status: status.parse()?,
            ..Answer::default()
        };
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse()?,
                "set-cookie" => answer
                    .cookies
                    .extend(value.split(';').next().map(str::to_owned)),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await?;
        answer.body = String::from_utf8(body)?;
        Ok(answer)
    }
}

impl Answer {
    /// The header that shows the cookies that were set.
    #[must_use]
    pub fn cookie(&self) -> String {
        // One that was set for two paths is sent once.
        let mut cookies = self.cookies.clone();
        cookies.dedup();
        format!("cookie: {}", cookies.join("; "))
    }

    /// The header that shows the access token of the body.
    #[must_use]
    pub fn authorization(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let token = body["access_token"].as_str().unwrap_or_default();
        format!("authorization: Bearer {token}")
    }
}
