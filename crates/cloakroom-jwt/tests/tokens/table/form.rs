//! J15, J16, J17, J34: how a token is written.

use super::{GOOD, Row, row};
use crate::forge::{b64, headed, header, payload, saying, sign, token};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![row("J0", "as it should be", saying(&[]), GOOD)];
    rows.extend(alphabet());
    rows.extend(last_symbols());
    rows.extend(segments());
    rows.extend(twice());
    rows.extend(size());
    rows
}

fn alphabet() -> Vec<Row> {
    let good = saying(&[]);
    let [head, body, signature] = cut(&good);
    let encoding = |variant, token| row("J15", variant, token, "Encoding");
    let resigned = |head: &str, body: &str| sign(1, &format!("{head}.{body}"));
    // A text whose base64 has both symbols that differ between the alphabets.
    let odd = payload(&[("sub", Some("\"???>>>~~~\""))]);
    let odd = b64(odd);
    assert!(odd.contains('_') || odd.contains('-'), "{odd}");
    let other = odd.replace('-', "+").replace('_', "/");
    vec![
        row(
            "J15",
            "both alphabets' symbols, ours",
            resigned(head, &odd),
            GOOD,
        ),
        encoding("the other alphabet", resigned(head, &other)),
        encoding("padding", format!("{good}==")),
        encoding("one sign of padding", format!("{good}=")),
        encoding("padded header", resigned(&format!("{head}="), body)),
        encoding("padded payload", resigned(head, &format!("{body}=="))),
        encoding("line feed after", format!("{good}\n")),
        encoding("CR LF after", format!("{good}\r\n")),
        encoding("space before", format!(" {good}")),
        encoding(
            "line feed in the payload",
            resigned(head, &format!("{body}\n")),
        ),
        encoding("NUL after", format!("{good}\0")),
        encoding("not ASCII", format!("{head}.{body}.{signature}é")),
        encoding("percent", good.replacen('.', "%2E.", 1)),
    ]
}

/// The bits of the last symbol that no byte has a part in must be zero: else one token has several
/// spellings, and a list of revoked ones knows only one.
fn last_symbols() -> Vec<Row> {
    const SYMBOLS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let stray = |segment: &str| -> Vec<String> {
        let spare = match segment.len() % 4 {
            2 => 4,
            3 => 2,
            _ => return Vec::new(),
        };
        let (rest, last) = segment.split_at(segment.len() - 1);
        let value = SYMBOLS
            .iter()
            .position(|s| *s == last.as_bytes()[0])
            .unwrap();
        let spelt = |extra: usize| format!("{rest}{}", SYMBOLS[value + extra] as char);
        (1..1 << spare).map(spelt).collect()
    };
    let mut rows = Vec::new();
    let good = saying(&[]);
    let [head, body, signature] = cut(&good);
    for spelt in stray(signature) {
        let token = format!("{head}.{body}.{spelt}");
        rows.push(row("J15", "stray bits in the signature", token, "Encoding"));
    }
    // One of three lengths has none; two neighbours have.
    for space in ["", " ", "  "] {
        let (head, body) = (header(&[]) + space, payload(&[]) + space);
        for spelt in stray(&b64(&head)) {
            let token = sign(1, &format!("{spelt}.{}", b64(&body)));
            rows.push(row("J15", "stray bits in the header", token, "Encoding"));
        }
        for spelt in stray(&b64(&body)) {
            let token = sign(1, &format!("{}.{spelt}", b64(&head)));
            rows.push(row("J15", "stray bits in the payload", token, "Encoding"));
        }
    }
    rows
}

fn segments() -> Vec<Row> {
    let good = saying(&[]);
    let [head, body, signature] = cut(&good);
    let wrong = |variant: &'static str, token: String| row("J16", variant, token, "Segments");
    vec![
        wrong("nothing", String::new()),
        wrong("one", head.to_owned()),
        wrong("two", format!("{head}.{body}")),
        wrong("four", format!("{good}.")),
        wrong("four, an empty one first", format!(".{good}")),
        wrong(
            "four, an empty one between",
            format!("{head}..{body}.{signature}"),
        ),
        wrong("four, signed", sign(1, &format!("{head}.{body}.{body}"))),
        wrong(
            "five: JWE",
            format!("{head}.{body}.{body}.{body}.{signature}"),
        ),
        row("J16", "three empty ones", "..".into(), "Json"),
        row(
            "J16",
            "empty header",
            format!(".{body}.{signature}"),
            "Json",
        ),
        row("J16", "empty payload", sign(1, &format!("{head}.")), "Json"),
        row(
            "J16",
            "JSON serialisation",
            format!("{{\"payload\":\"{body}\"}}"),
            "Segments",
        ),
        row(
            "J16",
            "payload is a token",
            token(&header(&[]), &good),
            "Json",
        ),
        row(
            "J16",
            "payload is an array",
            token(&header(&[]), "[]"),
            "Json",
        ),
        row(
            "J16",
            "payload is null",
            token(&header(&[]), "null"),
            "Json",
        ),
        row(
            "J16",
            "header is an array",
            token("[\"EdDSA\"]", &payload(&[])),
            "Json",
        ),
        row(
            "J16",
            "payload is not UTF-8",
            sign(1, &format!("{head}.{}", b64(b"{\"\xff\":1}"))),
            "Json",
        ),
        row(
            "J16",
            "two objects",
            token(&header(&[]), &(payload(&[]) + "{}")),
            "Json",
        ),
        row(
            "J16",
            "byte order mark",
            token(&header(&[]), &format!("\u{feff}{}", payload(&[]))),
            "Json",
        ),
    ]
}

fn twice() -> Vec<Row> {
    let in_header = |member: &str| header(&[]).replacen('{', &format!("{{{member},"), 1);
    let in_payload = |member: &str| payload(&[]).replacen('{', &format!("{{{member},"), 1);
    let mut rows = Vec::new();
    for member in [
        r#""alg":"EdDSA""#,
        r#""alg":"none""#,
        r#""kid":"k1""#,
        r#""typ":"JWT""#,
        r#""\u0061lg":"none""#,
    ] {
        rows.push(row(
            "J17",
            member,
            token(&in_header(member), &payload(&[])),
            "Json",
        ));
    }
    for member in [
        r#""exp":1"#,
        r#""exp":9999999999"#,
        r#""sub":"bob""#,
        r#""aud":"shop""#,
        r#""\u0065xp":1"#,
        r#""x":1,"x":1"#,
    ] {
        rows.push(row(
            "J17",
            member,
            token(&header(&[]), &in_payload(member)),
            "Json",
        ));
    }
    let app = r#"{"role":"user","role":"admin"}"#;
    rows.push(row(
        "J17",
        "in the application's claims",
        saying(&[("app", Some(app))]),
        "Json",
    ));
    rows
}

fn size() -> Vec<Row> {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let many: Vec<String> = (0..1_000_000).map(|n| format!("\"c{n}\":1")).collect();
    let many = format!("{{{}}}", many.join(","));
    // Not every length is one of base64, so both segments are filled.
    let filled = |to: usize| {
        let pad = |n: usize| format!("\"{}\"", "a".repeat(n));
        let made = |n: usize, m: usize| {
            let (head, body) = (pad(m), pad(n));
            let (head, body) = ([("x", Some(&*head))], [("sub", Some(&*body))]);
            token(&header(&head), &payload(&body))
        };
        let room = to - made(1, 0).len();
        let all = (room * 3 / 4 - 4..).flat_map(|n| (0..4).map(move |m| (n, m)));
        let mut tokens = all.map(|(n, m)| made(n, m));
        tokens.find(|token| token.len() == to).unwrap()
    };
    let (full, over) = (filled(4096), filled(4097));
    assert_eq!(full.len(), 4096);
    vec![
        row("J34", "8 MB", "A".repeat(8 << 20), "TooLong"),
        row(
            "J34",
            "8 MB, signed",
            saying(&[("x", Some(&format!("\"{}\"", "a".repeat(6 << 20))))]),
            "TooLong",
        ),
        row("J34", "2 million dots", ".".repeat(2_000_000), "TooLong"),
        row("J34", "4096 dots", ".".repeat(4096), "Segments"),
        row(
            "J34",
            "10,000 deep",
            saying(&[("x", Some(&deep(10_000)))]),
            "TooLong",
        ),
        row(
            "J34",
            "1,000 deep",
            saying(&[("x", Some(&deep(1_000)))]),
            "Json",
        ),
        row(
            "J34",
            "1,000 deep in the header",
            headed(&[("x", Some(&deep(1_000)))]),
            "Json",
        ),
        row(
            "J34",
            "a million claims",
            token(&header(&[]), &many),
            "TooLong",
        ),
        row("J34", "as long as allowed", full, GOOD),
        row("J34", "longer by the least", over, "TooLong"),
    ]
}

fn cut(token: &str) -> [&str; 3] {
    let segments: Vec<_> = token.split('.').collect();
    segments.try_into().unwrap()
}
