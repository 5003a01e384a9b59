//! J18–J30, J33, J35: what the payload says.

use super::{GOOD, Row, claim, row};
use crate::forge::{NOW, saying};

pub(super) fn rows() -> Vec<Row> {
    [
        dates(),
        time(),
        texts(),
        audiences(),
        issuers(),
        strangers(),
        optional(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A date must be a number of seconds that is a date.
fn dates() -> Vec<Row> {
    let mut rows = Vec::new();
    for name in ["exp", "nbf", "iat"] {
        let text = format!("\"{NOW}\"");
        let wrong = [
            ("J18", text.as_str()),
            ("J18", "\"\""),
            ("J19", "{}"),
            ("J19", "[1]"),
            ("J19", "true"),
            ("J19", "null"),
            ("J20", "-1"),
            ("J20", "-1e300"),
            ("J21", "1e300"),
            ("J21", "253402300800"),
            ("J21", "18446744073709551616"),
        ];
        for (case, text) in wrong {
            let token = saying(&[(name, Some(text))]);
            rows.push(row(case, format!("{name} {text}"), token, &claim(name)));
        }
        for text in ["NaN", "Infinity", "1e400", "-NaN", "0x10", "01", "+1"] {
            let token = saying(&[(name, Some(text))]);
            rows.push(row("J21", format!("{name} {text}"), token, "Json"));
        }
        rows.push(row(
            "J22",
            format!("no {name}"),
            saying(&[(name, None)]),
            &claim(name),
        ));
    }
    rows.push(row(
        "J22",
        "no claims at all",
        crate::forge::token(&crate::forge::header(&[]), "{}"),
        &claim("exp"),
    ));
    rows
}

fn time() -> Vec<Row> {
    let at = |name: &str, second: f64| saying(&[(name, Some(&second.to_string()))]);
    let now = NOW as f64;
    let mut rows = Vec::new();
    for past in [0.0, 0.5, 1.0, 5.0, 59.0, 60.0, 86_400.0] {
        let early = (NOW - 90_000).to_string();
        let exp = (now - past).to_string();
        let token = saying(&[
            ("exp", Some(&exp)),
            ("iat", Some(&early)),
            ("nbf", Some(&early)),
        ]);
        rows.push(row(
            "J23",
            format!("expired {past} s ago"),
            token,
            "Expired",
        ));
    }
    rows.push(row(
        "J23",
        "expires in half a second",
        at("exp", now + 0.5),
        GOOD,
    ));
    rows.push(row(
        "J23",
        "exp at the beginning of time",
        at("exp", 0.0),
        "Expired",
    ));
    for ahead in [1.5, 2.0, 60.0, 1e9] {
        rows.push(row(
            "J33",
            format!("nbf {ahead} s ahead"),
            at("nbf", now + ahead),
            "NotYet",
        ));
        rows.push(row(
            "J33",
            format!("iat {ahead} s ahead"),
            at("iat", now + ahead),
            "NotYet",
        ));
    }
    rows.push(row(
        "J33",
        "issued in this second by a clock ahead",
        at("iat", now + 1.0),
        GOOD,
    ));
    let hour = |more: i64| saying(&[("exp", Some(&(NOW + 3600 + more).to_string()))]);
    rows.push(row("J38", "a life of an hour", hour(0), GOOD));
    rows.push(row("J38", "a longer life", hour(1), "LongLived"));
    rows.push(row(
        "J38",
        "a life without end",
        saying(&[("exp", Some("253402300799"))]),
        "LongLived",
    ));
    rows.push(row("J38", "issued long ago", at("iat", 0.0), "LongLived"));
    rows
}

fn texts() -> Vec<Row> {
    let mut rows = Vec::new();
    for name in ["jti", "sub"] {
        for text in ["1", "null", "{}", "[\"alice\"]", "true", "\"\""] {
            let token = saying(&[(name, Some(text))]);
            rows.push(row("J22", format!("{name} {text}"), token, &claim(name)));
        }
        rows.push(row(
            "J22",
            format!("no {name}"),
            saying(&[(name, None)]),
            &claim(name),
        ));
    }
    rows
}

fn audiences() -> Vec<Row> {
    let with = |case, text: &'static str, answer: &str| {
        row(
            case,
            format!("aud {text}"),
            saying(&[("aud", Some(text))]),
            answer,
        )
    };
    let malformed = claim("aud");
    vec![
        row("J24", "no aud", saying(&[("aud", None)]), &malformed),
        with("J25", "1", &malformed),
        with("J25", "null", &malformed),
        with("J25", "{}", &malformed),
        with("J25", "{\"shop\":1}", &malformed),
        with("J25", "true", &malformed),
        with("J25", "[1]", &malformed),
        with("J25", "[\"shop\",1]", &malformed),
        with("J25", "[[\"shop\"]]", &malformed),
        with("J26", "\"bank\"", "Audience"),
        with("J26", "\"sho\"", "Audience"),
        with("J26", "\"shops\"", "Audience"),
        with("J26", "\"Shop\"", "Audience"),
        with("J26", "\"shop \"", "Audience"),
        with("J26", "\"*\"", "Audience"),
        with("J26", "\"\"", "Audience"),
        with("J26", "\"shop bank\"", "Audience"),
        with("J26", "[]", "Audience"),
        with("J26", "[\"bank\",\"post\"]", "Audience"),
        with("J27", "[\"bank\",\"shop\"]", GOOD),
        with("J27", "[\"shop\"]", GOOD),
    ]
}

fn issuers() -> Vec<Row> {
    let with = |case, text: &'static str, answer: &str| {
        row(
            case,
            format!("iss {text}"),
            saying(&[("iss", Some(text))]),
            answer,
        )
    };
    let malformed = claim("iss");
    vec![
        row("J28", "no iss", saying(&[("iss", None)]), &malformed),
        with("J29", "{}", &malformed),
        with("J29", "[\"https://login.example\"]", &malformed),
        with("J29", "null", &malformed),
        with("J29", "1", &malformed),
        with("J29", "\"\"", &malformed),
        with("J30", "\"https://login.exampl\"", "Issuer"),
        with("J30", "\"https://login.example/\"", "Issuer"),
        with("J30", "\"https://login.example.evil\"", "Issuer"),
        with("J30", "\"https://LOGIN.example\"", "Issuer"),
        with("J30", "\"http://login.example\"", "Issuer"),
        with("J30", "\"login.example\"", "Issuer"),
    ]
}

/// By our key, but not for us.
fn strangers() -> Vec<Row> {
    let header = |typ| crate::forge::header(&[("typ", typ)]);
    let id = crate::forge::payload(&[("nonce", Some("\"n\"")), ("aud", Some("\"mobile-app\""))]);
    let staging = [("iss", Some("\"https://login.staging.example\""))];
    vec![
        row(
            "J35",
            "an ID token",
            crate::forge::token(&header(Some("\"JWT\"")), &id),
            "Type",
        ),
        row(
            "J35",
            "an ID token without a type",
            crate::forge::token(&header(None), &id),
            "Type",
        ),
        row(
            "J35",
            "an ID token's claims",
            crate::forge::token(&header(Some("\"at+jwt\"")), &id),
            "Audience",
        ),
        row("J35", "of another environment", saying(&staging), "Issuer"),
    ]
}

/// What need not be there must be right if it is.
fn optional() -> Vec<Row> {
    let mut rows = Vec::new();
    for name in ["client_id", "scope", "sid", "epoch"] {
        for text in ["1", "null", "[\"a\"]", "\"\""] {
            let token = saying(&[(name, Some(text))]);
            rows.push(row("J22", format!("{name} {text}"), token, &claim(name)));
        }
        rows.push(row(
            "J22",
            format!("{name} as it should be"),
            saying(&[(name, Some("\"a\""))]),
            GOOD,
        ));
    }
    for text in [
        "\" a\"",
        "\"a  b\"",
        "\"a\\tb\"",
        "\"a\\\"b\"",
        "\"\u{e9}\"",
    ] {
        let token = saying(&[("scope", Some(text))]);
        rows.push(row("J22", format!("scope {text}"), token, &claim("scope")));
    }
    rows.push(row(
        "J0",
        "claims that nobody knows",
        saying(&[("x", Some("{\"y\":[1,2]}"))]),
        GOOD,
    ));
    rows
}
