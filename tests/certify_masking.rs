//! What the evidence of a certification run shows of a message is the message that went over the wire,
//! without what the interface calls sensitive; and no secret is shown where a server quotes it, be it
//! short, or in other letters.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use std::sync::{Arc, Mutex};

use between::{Answer, Asked, Server};
use money_transfer_retailer::model::Sensitive;
use money_transfer_retailer::simulator::{CannedAnswer, Fault, Operation, Rule, Simulator};
use run::certify::masked_json::masked;
use run::certify::masking::Secrets;
use run::{PASSWORD, Run, text, walk_at};
use serde_json::{Value, json};

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/between.rs"]
mod between;

fn secrets(texts: &[&str]) -> Secrets {
    let secrets = Secrets::default();
    for text in texts {
        secrets.hide(&Sensitive::from(*text));
    }
    secrets
}

#[test]
fn a_secret_is_struck_out_in_capitals_or_not() {
    let secrets = secrets(&["Mokoena", "ABCDEF0123456789", "Straße7"]);
    for (quoted, shown) in [
        ("MOKOENA, mokoena and Mokoena", "***, *** and ***"),
        ("pinBlock abcdef0123456789.", "pinBlock ***."),
        ("xMokoenax", "x***x"),
        ("STRAßE7", "***"),
        ("nothing to hide", "nothing to hide"),
    ] {
        assert_eq!(secrets.strike_out(quoted), shown);
    }
}

#[test]
fn a_short_secret_is_struck_out_where_it_stands_alone() {
    let secrets = secrets(&["Bo", "1234", "p", "", "--"]);
    for (quoted, shown) in [
        ("bo: 1234 is wrong, Bo", "***: *** is wrong, ***"),
        (
            "a body of 51234 bytes -- about",
            "a body of 51234 bytes -- about",
        ),
        ("P, 1234p, 1234-p", "***, 1234p, ***-***"),
    ] {
        assert_eq!(secrets.strike_out(quoted), shown);
    }
}

#[test]
fn the_longer_of_two_secrets_leaves_nothing_behind() {
    let secrets = secrets(&["Mokoena", "Mokoena-Dlamini"]);
    assert_eq!(secrets.strike_out("Mokoena-Dlamini"), "***");
}

/// Schema and property of everything that the interface marks as sensitive.
fn marked() -> Vec<(String, String)> {
    let facts: Value =
        serde_json::from_str(include_str!("contract/mtri-2.22.openapi.json")).unwrap();
    let mut found = Vec::new();
    for (schema, facts) in facts["components"]["schemas"].as_object().unwrap() {
        for own in [&facts["properties"], &facts["allOf"][1]["properties"]] {
            for (name, field) in own.as_object().into_iter().flatten() {
                if field["x-sensitive"] == true || field["x-never-persist"] == true {
                    found.push((schema.clone(), name.clone()));
                }
            }
        }
    }
    found
}

#[test]
fn every_field_that_the_interface_marks_is_hidden() {
    let marked = marked();
    assert!(marked.len() > 15, "there was nothing to search for");
    for (schema, name) in marked {
        // As it stands in a message.
        let message = match schema.as_str() {
            "Address" => json!({ "address": { &name: "secret" } }),
            _ => json!({ &name: "secret" }),
        };
        let shown = shown(&message.to_string());
        assert!(!shown.contains("secret"), "{schema}.{name}: {shown}");
        assert!(
            shown.contains(&name),
            "that there is one may be known: {shown}"
        );
    }
}

#[test]
fn what_is_no_field_of_the_interface_is_hidden_within_a_person_and_on_a_slip() {
    for message in [
        r#"{"senderDetails":{"maidenName":"secret","children":["secret",{"a":"secret"}]}}"#,
        r#"{"customerDetails":{"ssn":1234567890123,"isRich":true}}"#,
        r#"{"slipData":{"messageLines":[{"text":"secret","barcode":{"data":"secret"}}]}}"#,
        r#"{"ORDERREDEEMREF":"secret"}"#,
        r#"{"orderRedeemRef":["secret",12345678]}"#,
    ] {
        let shown = shown(message);
        for secret in ["secret", "1234567890123", "true", "12345678"] {
            assert!(!shown.contains(secret), "{message}: {shown}");
        }
    }
}

#[test]
fn what_is_shown_is_as_it_went_over_the_wire() {
    let message = r#"{"z":1.50,"a":null,"rate":0.10000000000000000001,"a":[],"n":{},"t":"\u00e9"}"#;
    let words = "{\n  \"z\": 1.50,\n  \"a\": null,\n  \"rate\": 0.10000000000000000001,\n  \"a\": [],\n  \
                 \"n\": {},\n  \"t\": \"é\"\n}";
    assert_eq!(shown(message), words);
}

#[test]
fn what_is_no_json_is_not_shown() {
    for body in ["", "<h1>Mokoena</h1>", "{\"id\":", "{} {}"] {
        assert!(masked(body.as_bytes(), &secrets(&[])).is_none(), "{body}");
    }
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    // Whatever becomes of it, it is no end of the run.
    let _shown = masked(deep.as_bytes(), &secrets(&[]));
}

fn shown(message: &str) -> String {
    let shown = masked(message.as_bytes(), &secrets(&[])).unwrap();
    shown.get().to_owned()
}

fn step<'a>(run: &'a Run, name: &str) -> &'a Value {
    let flows = run.json["flows"].as_array().unwrap().iter();
    let mut steps = flows.flat_map(|flow| flow["steps"].as_array().unwrap());
    steps.find(|step| step["step"] == name).unwrap()
}

#[tokio::test]
async fn the_report_shows_the_messages_as_they_were_sent_and_received() {
    let simulator = Simulator::start().await.unwrap();
    let run = walk_at(&simulator.base_url(), "2", &["create-order", "customers"]).await;
    let exchange = &step(&run, "createOrder is approved")["exchanges"][0];
    let book = simulator.book();
    let mut sent = book
        .messages_of(Operation::CreateOrder)
        .next()
        .unwrap()
        .json();
    for (part, hidden) in [
        (
            "senderDetails",
            &["firstName", "lastName", "idNumber", "contactNumber"][..],
        ),
        (
            "recipientDetails",
            &["firstName", "lastName", "idNumber", "contactNumber"],
        ),
        ("pin", &["pinBlock"]),
    ] {
        for name in hidden {
            assert!(sent[part][name].is_string());
            sent[part][name] = "***".into();
        }
    }
    sent["pin"]["encryptionParameters"]["accountNumber"] = "***".into();
    assert_eq!(exchange["request"], sent);
    assert_eq!(exchange["response"]["orderRedeemRef"], "***");
    assert_eq!(exchange["response"]["id"], sent["id"]);
    let asked = &step(&run, "the customer is looked up")["exchanges"][0];
    assert_eq!(asked["query"]["idNumber"], "***");
    assert_eq!(asked["request"], Value::Null);
    assert!(
        !run.html.contains("CreateOrderRequest"),
        "a dump of the client's own"
    );
}

#[tokio::test]
async fn a_reference_is_hidden_where_a_server_quotes_it_in_words_of_its_own() {
    let simulator = Simulator::start().await.unwrap();
    let body = json!({
        "errorType": "FORMAT_ERROR", "errorMessage": "see AB12 or ab34cd56ef", "id": "1",
        "detailMessage": { "orderRedeemRef": "AB34CD56EF", "again": "not AB12", "remittanceRef": "AB12" },
    });
    let quoting = CannedAnswer::status(400).body("application/json", body.to_string());
    let quoting = quoting.header("location", "/orders/AB34CD56EF");
    simulator.inject(Rule::on(Operation::GetExchangeRate).fault(Fault::from(quoting)));
    let run = walk_at(&simulator.base_url(), "2", &["exchange-rate"]).await;
    let exchange = &step(&run, "rand to dollars")["exchanges"][0];
    assert_eq!(text(&exchange["location"]), "/orders/***");
    assert_eq!(exchange["response"]["errorMessage"], "see *** or ***");
    assert_eq!(exchange["response"]["detailMessage"]["again"], "not ***");
    for told in [&run.out, &run.html, &run.json.to_string()] {
        assert!(!told.contains("AB12") && !told.to_uppercase().contains("AB34CD56EF"));
    }
}

/// The forms of +27821234567 that a server may give it: a mask stands for the significant digits at least.
const TELEPHONE: [(&str, &str); 12] = [
    ("+27821234567", "***"),
    ("27821234567", "27***"),
    ("0027821234567", "0027***"),
    ("0821234567", "0***"),
    ("821234567", "***"),
    ("082 123 4567", "0***"),
    ("+27 82 123 4567", "+27 ***"),
    ("+27 (0)82 123-4567", "+27 (0)***"),
    ("(082) 123.4567", "(0***"),
    ("tel:+27-82-123-4567", "tel:+27-***"),
    ("?to=%2B2782+123%204567&a", "?to=%2B27***&a"),
    ("\u{a0}82\u{a0}123\u{2011}4567", "\u{a0}***"),
];

#[test]
fn a_telephone_number_is_struck_out_in_every_form_that_has_its_significant_digits() {
    let secrets = Secrets::default();
    secrets.hide_telephone(&Sensitive::from("+27821234567"), "27");
    for (quoted, shown) in TELEPHONE {
        assert_eq!(secrets.strike_out(quoted), shown);
    }
    for innocent in ["82", "1234567", "82 1234", "2026-01-31 82:12:34"] {
        assert_eq!(secrets.strike_out(innocent), innocent);
    }
    let shown = masked(br#"{"a":27821234567,"b":"082 123 4567"}"#, &secrets).unwrap();
    let shown: Value = serde_json::from_str(shown.get()).unwrap();
    assert_eq!(shown, json!({ "a": "***", "b": "0***" }));
}

#[test]
fn a_long_number_is_struck_out_in_groups_too() {
    let secrets = secrets(&["8001015009087", "12345678901234567890", "12345678"]);
    for (quoted, shown) in [
        ("id 800101 5009 08 7.", "id ***."),
        ("1234 5678 9012 3456 7890", "***"),
        ("1234-5678", "1234-5678"),
        ("800101, 5009 08 7", "800101, 5009 08 7"),
    ] {
        assert_eq!(secrets.strike_out(quoted), shown);
    }
}

#[tokio::test]
async fn a_telephone_number_is_hidden_however_a_server_writes_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let change = move |asked: &Asked, answer: Answer| {
        let Some(number) = asked.json["senderDetails"]["contactNumber"].as_str() else {
            return answer;
        };
        let digits = number.trim_start_matches("+27").to_owned();
        let (area, rest) = digits.split_at(2);
        let detail = json!({
            "errorType": "FORMAT_ERROR", "id": asked.json["id"],
            "errorMessage": format!("no SMS to 27{digits}, 0{digits} or 0{area} {rest}"),
            "detailMessage": [format!("27{digits}").parse::<u64>().unwrap()],
        });
        heard
            .lock()
            .unwrap()
            .extend([digits.clone(), rest.to_owned()]);
        let answer = answer.with("location", &format!("/sms/0{digits}"));
        Answer {
            status: 400,
            body: detail.to_string().into(),
            ..answer
        }
    };
    let server = Server::start(change).await;
    let run = walk_at(&server.base_url(), "2", &["create-order-reversed"]).await;
    let told = told.lock().unwrap();
    assert!(!told.is_empty());
    assert!(run.html.contains("no SMS to 27***, 0*** or 0***"));
    for digits in &*told {
        for shown in [&run.out, &run.html, &run.json.to_string()] {
            assert!(!shown.contains(digits.as_str()), "{digits} is told");
        }
    }
}

/// Every way in which the header of the till could be quoted: user and password as HTTP Basic has them.
fn credentials() -> Vec<String> {
    let basic = "NzY1NDMyMTpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=";
    let quoted = [
        basic,
        basic.trim_end_matches('='),
        "NzY1NDMyMTpjb3JyZWN0LWhvcnNlLWJhdHRlcnk%3D",
        PASSWORD,
        &format!("7654321:{PASSWORD}"),
        "7654321%3Acorrect%2Dhorse%2dbattery",
        "%63orrect-horse-battery",
    ];
    quoted.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn credentials_are_hidden_however_a_server_quotes_them() {
    let simulator = Simulator::start().await.unwrap();
    let quoted = credentials();
    let body = json!({
        "errorType": "FORMAT_ERROR", "errorMessage": quoted[0], "id": "1",
        "detailMessage": { "said": quoted, "headers": { "x": format!("Basic {}", quoted[0]) } },
    });
    let quoting = CannedAnswer::status(400).body("application/json", body.to_string());
    let quoting = quoting.header("location", format!("/?a={}", quoted[2]));
    simulator.inject(Rule::on(Operation::GetExchangeRate).fault(Fault::from(quoting)));
    let run = walk_at(&simulator.base_url(), "2", &["exchange-rate"]).await;
    let exchange = &step(&run, "rand to dollars")["exchanges"][0];
    assert_eq!(exchange["response"]["errorMessage"], "***=");
    assert_eq!(text(&exchange["location"]), "/?a=***%3D");
    for told in [&run.out, &run.html, &run.json.to_string()] {
        for token in ["NzY1NDMyMTpj", "horse", "battery", "orrect-"] {
            assert!(!told.contains(token), "{token}");
        }
    }
}

#[test]
fn a_credential_is_hidden_in_the_letters_of_a_url_too() {
    let secrets = Secrets::default();
    secrets.hide_credentials(&Sensitive::from("password"), "Basic ab+/cd+/ef==");
    for quoted in ["ab+/cd+/ef==", "ab-_cd-_ef==", "ab%2B%2Fcd%2b%2fef=="] {
        assert_eq!(secrets.strike_out(quoted), "***==");
    }
}

#[test]
fn what_is_named_like_a_credential_is_hidden_in_any_case() {
    for name in [
        "authorization",
        "Authorization",
        "PROXY-AUTHORIZATION",
        "xAuthorizationHeader",
        "userPassword",
        "Set-Cookie",
        "credentials",
    ] {
        let shown = shown(&json!({ name: ["Basic AAAA", { "of": "secret" }] }).to_string());
        assert!(
            !shown.contains("AAAA") && !shown.contains("secret"),
            "{shown}"
        );
    }
}

#[test]
fn a_secret_is_struck_out_where_it_is_written_as_in_a_url() {
    let secrets = secrets(&[
        "+27 82 555/01",
        "Müller & Söhne",
        "p&s",
        "50%more/",
        "5%25less",
    ]);
    for (quoted, shown) in [
        ("?cell=%2B27%2082%20555%2f01&a=b", "?cell=***&a=b"),
        ("?cell=%2B27+82+555/01", "?cell=***"),
        ("M%C3%BCller+%26+S%c3%b6hne", "***"),
        ("q=p%26s", "q=***"),
        ("%2Fp&s%2F", "%2F***%2F"),
        ("50%more/, 50%25more/ and 50%25more%2F", "***, *** and ***"),
        ("5%25less and 5%2525less", "*** and ***"),
        ("100%, %, %2, %zz and %ü", "100%, %, %2, %zz and %ü"),
    ] {
        assert_eq!(secrets.strike_out(quoted), shown);
    }
}

#[tokio::test]
async fn a_page_in_the_place_of_an_answer_is_not_quoted() {
    let simulator = Simulator::start().await.unwrap();
    let page = CannedAnswer::status(502).body("text/html", "<h1>Who knows?</h1>");
    simulator.inject(Rule::on(Operation::LookupOrder).fault(page));
    let run = walk_at(&simulator.base_url(), "0.5", &["lookup-order"]).await;
    let exchange = &step(&run, "the reference is unknown")["exchanges"][0];
    assert_eq!(exchange["response"], Value::Null);
    assert_eq!(exchange["responseBytes"], 19);
    assert!(!run.html.contains("Who knows"));
    assert!(
        run.html
            .contains("HTTP 502, text/html, 19 bytes that are not shown")
    );
}
