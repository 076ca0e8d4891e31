//! The promise: an approval is never unreadable because of a decoration, and never taken for one without id and amount.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeSet;

use money_transfer_retailer::model::*;
use serde_json::{Value, json};

fn approval(decoration: &str) -> String {
    format!(r#"{{"id":"7","amount":{{"amount":79995,"currency":"710"}}{decoration}}}"#)
}

/// Reads an approval with decorations and asserts that exactly these parts were left out.
fn read_approval(decoration: &str, skipped: &[&str]) -> CreateOrderResponse {
    let reading = read::<CreateOrderResponse>(approval(decoration).as_bytes()).unwrap();
    assert_eq!(reading.skipped, skipped, "{decoration}");
    assert_eq!(
        (reading.value.id.as_str(), &reading.value.amount),
        ("7", &Money::zar(79_995))
    );
    reading.value
}

#[test]
fn id_and_amount_are_enough_for_an_approval() {
    let response = read_approval("", &[]);
    assert!(response.third_party_identifiers.is_empty());
    assert_eq!(response.order_redeem_ref, None);
}

#[test]
fn a_malformed_decoration_is_left_out_and_named() {
    read_approval(r#","stan":123456"#, &["stan"]);
    read_approval(r#","time":"yesterday""#, &["time"]);
    read_approval(r#","slipData":"none""#, &["slipData"]);
    read_approval(r#","senderDetails":[]"#, &["senderDetails"]);
    read_approval(r#","thirdPartyIdentifiers":{}"#, &["thirdPartyIdentifiers"]);
    read_approval(
        r#","amounts":{"additionalAmounts":{"tip":{"amount":"1"}}}"#,
        &["amounts.additionalAmounts.tip"],
    );
    read_approval(
        r#","slipData":{"slipWidth":1e999}"#,
        &["slipData.slipWidth"],
    );
    read_approval(r#","basketRef":"\ud800""#, &["basketRef"]);
    read_approval(
        r#","amounts":{"feeAmount":{"currency":"710"}}"#,
        &["amounts.feeAmount"],
    );
    read_approval(
        r#","slipData":{"slipWidth":1,"slipWidth":2}"#,
        &["slipData"],
    );
    read_approval(r#","pin":5,"unknown":{"stan":5}"#, &[]);
}

#[test]
fn a_malformed_part_takes_as_little_with_it_as_possible() {
    let decoration = concat!(
        r#","slipData":{"messageLines":[{"text":"a"},7,{"text":"b","cut":"no"}],"slipWidth":"wide"}"#,
        r#","originator":{"institution":{"id":"1"},"terminalId":5,"merchant":{}},"orderRedeemRef":"R""#,
    );
    let skipped = [
        "slipData.messageLines[1]",
        "slipData.messageLines[2].cut",
        "slipData.slipWidth",
        "originator.terminalId",
    ];
    let response = read_approval(decoration, &skipped);
    let lines = response.slip_data.unwrap().message_lines;
    assert_eq!(
        lines
            .iter()
            .map(|line| line.text.expose())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(response.originator.unwrap().institution.id, "1");
    assert_eq!(response.order_redeem_ref.unwrap().expose(), "R");
}

#[test]
fn one_broken_order_does_not_hide_the_others_of_a_history() {
    let order = json!({"amount": {"amount": 1, "currency": "710"}});
    let history = json!({"orders": [order, {"amount": "?"}, order, {"orderId": "1"}]});
    let reading = read::<OrderHistoryResponse>(history.to_string().as_bytes()).unwrap();
    assert_eq!(reading.value.orders.len(), 2);
    assert_eq!(reading.skipped, ["orders[1]", "orders[3]"]);
}

#[test]
fn the_status_of_an_order_is_read_without_its_amount() {
    for (amount, skipped) in [
        ("", ""),
        (r#","amount":null"#, ""),
        (r#","amount":"much""#, "amount"),
        (r#","amount":{"currency":"710"}"#, "amount"),
    ] {
        let order = format!(r#"{{"status":"REDEEMED"{amount}}}"#);
        let reading = read::<LookupOrderResponse>(order.as_bytes()).unwrap();
        assert_eq!(reading.value.status, Some(OrderStatus::Redeemed), "{order}");
        assert_eq!(reading.value.amount, None, "{order}");
        assert_eq!(reading.skipped.join(""), skipped, "{order}");

        let history = format!(r#"{{"orders":[{order}]}}"#);
        let history = read::<OrderHistoryResponse>(history.as_bytes()).unwrap();
        assert_eq!(history.value.orders, [reading.value]);
    }
}

#[test]
fn an_answer_with_neither_status_nor_amount_is_no_order() {
    for nothing in [
        "{}",
        r#"{"amount":"?"}"#,
        r#"{"orderId":"1","status":null}"#,
    ] {
        match read::<LookupOrderResponse>(nothing.as_bytes()) {
            Err(Unreadable::Missing { path }) => assert_eq!(path, "amount", "{nothing}"),
            other => panic!("{nothing}: {other:?}"),
        }
    }
}

#[test]
fn an_originator_without_institution_or_merchant_keeps_the_rest_and_is_not_sent() {
    for parties in [
        "",
        r#","institution":null,"merchant":null"#,
        r#","merchant":null"#,
    ] {
        let response = read_approval(
            &format!(r#","originator":{{"terminalId":"12345678","operatorId":"Zoe"{parties}}}"#),
            &[],
        );
        let originator = response.originator.unwrap();
        assert_eq!(originator.terminal_id, "12345678");
        assert_eq!(originator.operator_id.as_deref(), Some("Zoe"));
        assert_eq!(violated(&originator), ["institution", "merchant"]);
    }
    let response = read_approval(
        r#","originator":{"institution":5,"terminalId":"12345678"}"#,
        &["originator.institution"],
    );
    assert_eq!(response.originator.unwrap().terminal_id, "12345678");
}

#[test]
fn an_account_without_a_type_keeps_its_number_and_is_not_sent() {
    for kind in ["", r#","type":null"#] {
        let response = read_approval(
            &format!(r#","senderDetails":{{"accountDetails":{{"accountId":"7"{kind}}}}}"#),
            &[],
        );
        let account = response.sender_details.unwrap().account_details.unwrap();
        assert_eq!(
            (account.account_id.expose(), &account.kind),
            ("7", &None::<AccountKind>)
        );
        assert_eq!(violated(&account), ["type"]);
        assert_eq!(
            serde_json::to_value(&account).unwrap(),
            json!({"accountId": "7"})
        );
    }
}

fn violated(part: &impl Check) -> Vec<String> {
    let violations = part.check().err().into_iter().flatten();
    violations
        .map(|violation| violation.path().to_owned())
        .collect()
}

#[test]
fn a_fee_quote_that_lacks_an_amount_takes_nothing_else_with_it() {
    let one = r#"{"amount":1,"currency":"710"}"#;
    for missing in [
        "",
        r#","totalAmount":null"#,
        r#","totalAmount":{"amount":1}"#,
    ] {
        let quoted = format!(
            r#"{{"quoteId":"Q","feeQuote":{{"feeAmount":{one},"transferAmount":{one}{missing}}}}}"#
        );
        let reading = read::<FeeQuoteResponse>(quoted.as_bytes()).unwrap();
        assert_eq!(reading.value.quote_id.as_deref(), Some("Q"));
        assert_eq!(reading.value.fee_quote, None);
        assert_eq!(reading.skipped, ["feeQuote"], "{quoted}");
    }
}

#[test]
fn a_whole_number_may_be_written_with_a_fraction_of_zero() {
    let read_amount = |written: &str| {
        let money = format!(r#"{{"amount":{written},"currency":"710"}}"#);
        serde_json::from_str::<Money>(&money).map(|money| money.minor_units)
    };
    for (written, amount) in [
        ("79995.0", 79_995),
        ("79995.000", 79_995),
        ("-5.0", -5),
        ("0.0", 0),
        ("7.9995e4", 79_995),
        ("9007199254740991.0", 9_007_199_254_740_991),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(read_amount(written).unwrap(), amount, "{written}");
    }
    for wrong in [
        "79995.5",
        "0.1",
        // From here on a floating-point number would be another amount.
        "9007199254740993.0",
        "1e300",
        "9223372036854775808",
        r#""79995""#,
        "true",
    ] {
        assert!(read_amount(wrong).is_err(), "{wrong}");
    }
    let response = read_approval(r#","slipData":{"slipWidth":40.0}"#, &[]);
    assert_eq!(response.slip_data.unwrap().slip_width, Some(40));
    let too_wide = r#","slipData":{"slipWidth":4294967296.0}"#;
    read_approval(too_wide, &["slipData.slipWidth"]);
    read_approval(r#","slipData":{"slipWidth":null}"#, &[]);
}

#[test]
fn an_answer_without_usable_id_or_amount_is_unreadable() {
    let bodies = [
        (r#"{"amount":{"amount":1,"currency":"710"}}"#, "id"),
        (r#"{"id":7,"amount":{"amount":1,"currency":"710"}}"#, "id"),
        (
            r#"{"id":null,"amount":{"amount":1,"currency":"710"}}"#,
            "id",
        ),
        (r#"{"id":"7"}"#, "amount"),
        (r#"{"id":"7","amount":null}"#, "amount"),
        (r#"{"id":"7","amount":100}"#, "amount"),
        (
            r#"{"id":"7","amount":{"amount":1.5,"currency":"710"}}"#,
            "amount.amount",
        ),
        (
            r#"{"id":"7","amount":{"amount":1e400,"currency":"710"}}"#,
            "amount.amount",
        ),
        (
            r#"{"id":"7","amount":{"amount":9223372036854775808,"currency":"710"}}"#,
            "amount.amount",
        ),
        (
            r#"{"id":"7","amount":{"amount":1,"currency":710}}"#,
            "amount.currency",
        ),
        (r#"{"id":"7","amount":{"amount":1}}"#, "amount.currency"),
        (
            r#"{"id":"7","id":"8","amount":{"amount":1,"currency":"710"}}"#,
            "id",
        ),
        (r#"["7"]"#, "."),
        ("null", "."),
    ];
    for (body, place) in bodies {
        match read::<CreateOrderResponse>(body.as_bytes()) {
            Err(Unreadable::Missing { path }) => assert_eq!(path, place, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_json_is_told_from_what_does_not_fit() {
    for body in [
        "",
        "<html></html>",
        r#"{"id":"7","amount":"#,
        "{}{}",
        "\u{feff}{}",
    ] {
        assert!(
            matches!(
                read::<AdminMessage>(body.as_bytes()),
                Err(Unreadable::NotJson { .. })
            ),
            "{body}"
        );
    }
    assert!(matches!(
        read::<AdminMessage>(b"{\"customerProfileId\":\"\xff\"}"),
        Err(Unreadable::NotJson { .. })
    ));
}

#[test]
fn deep_or_large_input_is_an_error_and_no_overflow() {
    let deep = "[".repeat(1_000_000);
    assert_eq!(
        read::<CreateOrderResponse>(deep.as_bytes()).unwrap_err(),
        Unreadable::TooDeep
    );
    let nested = format!(
        r#","unknown":{}{}"#,
        "[".repeat(MAX_DEPTH),
        "]".repeat(MAX_DEPTH)
    );
    assert_eq!(
        read::<CreateOrderResponse>(approval(&nested).as_bytes()).unwrap_err(),
        Unreadable::TooDeep
    );
    let large = " ".repeat(MAX_BYTES + 1);
    assert!(matches!(
        read::<AdminMessage>(large.as_bytes()),
        Err(Unreadable::TooLarge { .. })
    ));
    let brackets_in_text = format!(r#","basketRef":"{}\"{}""#, "[".repeat(100), "{".repeat(100));
    read_approval(&brackets_in_text, &[]);
}

#[test]
fn a_message_broken_all_over_is_given_up_not_read_for_ever() {
    let orders: Vec<Value> = (0..100).map(|_| json!(7)).collect();
    let history = json!({ "orders": orders }).to_string();
    assert!(matches!(
        read::<OrderHistoryResponse>(history.as_bytes()),
        Err(Unreadable::Missing { .. })
    ));
}

#[test]
fn data_that_breaks_the_constraints_is_read_and_written_back() {
    let merchant = json!({"merchantType": "SHOP", "merchantId": "1", "merchantName": {
        "name": "A name that is much too long for this", "city": "", "region": "", "country": "ZAF",
    }});
    let read: Merchant = serde_json::from_value(merchant.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), merchant);
    assert!(read.check().is_err());
}

#[test]
fn identifiers_keep_their_bytes_even_when_another_part_is_left_out() {
    let identifiers = r#"[ {"institutionId":"1","transactionIdentifier":"2","n":1e400,"x":null},7, {"big":12345678901234567890123} ]"#;
    let response = read_approval(
        &format!(r#","stan":1,"thirdPartyIdentifiers": {identifiers} "#),
        &["stan"],
    );
    assert_eq!(response.third_party_identifiers.as_json(), identifiers);
    let entries = response.third_party_identifiers.entries();
    assert_eq!(
        entries,
        [
            ThirdPartyIdentifier::new("1", "2"),
            ThirdPartyIdentifier::new("", "")
        ]
    );
    let confirmation = Confirmation::builder()
        .request_id(RequestId::random())
        .time("2026-01-31T08:30:00Z".parse().unwrap())
        .third_party_identifiers(response.third_party_identifiers)
        .build();
    assert!(
        serde_json::to_string(&confirmation)
            .unwrap()
            .contains(identifiers)
    );
}

#[test]
fn an_exchange_rate_is_read_bare_or_wrapped_and_exactly() {
    let bare = r#"{"rate":18.23450000000000000000001,"fromCurrency":"840","toCurrency":"710"}"#;
    let wrapped = format!(r#"{{"exchangeRate":{bare}}}"#);
    let rate = read::<ExchangeRate>(bare.as_bytes()).unwrap().value;
    assert_eq!(rate.rate.as_str(), "18.23450000000000000000001");
    assert_eq!(serde_json::to_string(&rate).unwrap(), bare);
    assert_eq!(
        read::<ExchangeRate>(wrapped.as_bytes()).unwrap().value,
        rate
    );
    assert!(
        read::<ExchangeRate>(br#"{"rate":"18.2","fromCurrency":"840","toCurrency":"710"}"#)
            .is_err()
    );
    assert!(read::<ExchangeRate>(b"{}").is_err());
}

#[test]
fn a_known_value_is_never_taken_for_an_unknown_one_and_an_unknown_one_survives() {
    for known in ReversalReason::ALL {
        assert_eq!(&ReversalReason::from(known.as_str()), known);
        assert!(!matches!(known, ReversalReason::Other(_)));
    }
    let later: OrderStatus = serde_json::from_value(json!("LATER\n")).unwrap();
    let OrderStatus::Other(unknown) = &later else {
        panic!("{later:?}");
    };
    assert_eq!(unknown.as_str(), "LATER\n");
    assert_eq!(format!("{later:?}"), r#"Other("LATER\n")"#);
    assert_eq!(serde_json::to_value(&later).unwrap(), json!("LATER\n"));
}

#[test]
fn only_the_service_itself_is_taken_at_its_word() {
    let word = br#"{"errorType":"NEW_TYPE","errorMessage":"no","id":"7","detailMessage":[1e999],"originalId":5}"#;
    let detail = ErrorDetail::recognise(word).unwrap();
    assert_eq!(detail.error_type, ErrorType::from("NEW_TYPE"));
    assert_eq!((detail.id.as_str(), detail.original_id), ("7", None));
    for gateway in [
        r#"{"error":"bad gateway","id":"7"}"#,
        r#"{"errorType":"FORMAT_ERROR","errorMessage":"no"}"#,
        r#"{"errorType":"FORMAT_ERROR","errorMessage":null,"id":"7"}"#,
        r#"{"errorType":502,"errorMessage":"no","id":"7"}"#,
        r#"[{"errorType":"FORMAT_ERROR","errorMessage":"no","id":"7"}]"#,
        "<html></html>",
        "",
    ] {
        assert_eq!(
            ErrorDetail::recognise(gateway.as_bytes()),
            None,
            "{gateway}"
        );
    }
}

#[test]
fn of_a_refusal_that_is_the_services_own_anyway_the_reason_alone_is_enough() {
    for (body, id) in [
        (r#"{"errorType":"AUTHENTICATION_ERROR"}"#, ""),
        (
            r#"{"errorType":"AUTHENTICATION_ERROR","errorMessage":null,"id":"7"}"#,
            "7",
        ),
        (
            r#"{"errorType":"AUTHENTICATION_ERROR","errorMessage":{},"id":7}"#,
            "",
        ),
    ] {
        let detail = ErrorDetail::of_refusal(body.as_bytes()).unwrap();
        assert_eq!(detail.error_type, ErrorType::AuthenticationError, "{body}");
        assert_eq!(
            (detail.error_message.as_str(), detail.id.as_str()),
            ("", id)
        );
    }
    for other in [
        r#"{"errorMessage":"no","id":"7"}"#,
        r#"{"errorType":5}"#,
        "no",
        "",
    ] {
        assert_eq!(ErrorDetail::of_refusal(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn times_are_read_in_any_form_and_written_in_one() {
    let forms = [
        ("2026-01-31T08:30:00Z", "2026-01-31T08:30:00.000Z"),
        ("2026-01-31T08:30:00.1Z", "2026-01-31T08:30:00.100Z"),
        (
            "2026-01-31T08:30:00.123456789+02:00",
            "2026-01-31T08:30:00.123+02:00",
        ),
        (
            "2026-01-31T08:30:00.999999999-11:30",
            "2026-01-31T08:30:00.999-11:30",
        ),
        ("2026-01-31T08:30:00+00:00", "2026-01-31T08:30:00.000Z"),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
    ];
    for (given, written) in forms {
        let time: Timestamp = given.parse().unwrap();
        assert_eq!(time.to_string(), written);
        assert_eq!(written.parse::<Timestamp>().unwrap(), time);
        assert_eq!(
            Timestamp::from_unix_millis(time.unix_millis()).unwrap(),
            time
        );
    }
    for wrong in [
        "",
        "2026-01-31",
        "2026-01-31T08:30:00",
        "2026-02-30T08:30:00Z",
        "SECRET",
    ] {
        assert!(wrong.parse::<Timestamp>().is_err(), "{wrong}");
    }
    assert_eq!(Timestamp::from_unix_millis(i64::MAX), None);
}

#[test]
fn currencies_are_known_by_letters_and_digits_and_unknown_ones_survive() {
    assert_eq!("ZAR".parse::<Currency>(), Ok(Currency::ZAR));
    assert_eq!("710".parse::<Currency>(), Ok(Currency::ZAR));
    assert_eq!("zar".parse::<Currency>(), Ok(Currency::ZAR));
    assert_eq!("Zar".parse::<Currency>(), Ok(Currency::ZAR));
    assert_eq!("008".parse::<Currency>().unwrap().letters(), Some("ALL"));
    assert!("zar?".parse::<Currency>().is_err());
    for text in ["710", "008", "123", "ZAR", "8", "", "R"] {
        let currency: Currency = serde_json::from_value(json!(text)).unwrap();
        assert_eq!(serde_json::to_value(&currency).unwrap(), json!(text));
    }
}

#[test]
fn amounts_are_shown_as_people_write_them() {
    let in_currency = |minor_units, currency: &str| {
        Money::new(minor_units, currency.parse().unwrap()).to_string()
    };
    assert_eq!(in_currency(79_995, "ZAR"), "R 799.95");
    assert_eq!(in_currency(5, "710"), "R 0.05");
    assert_eq!(in_currency(-79_995, "ZAR"), "-R 799.95");
    assert_eq!(in_currency(i64::MIN, "ZAR"), "-R 92233720368547758.08");
    assert_eq!(in_currency(1_000, "USD"), "USD 10.00");
    assert_eq!(in_currency(1_000, "NAD"), "NAD 10.00");
    assert_eq!(in_currency(1_000, "EUR"), "€ 10.00");
    assert_eq!(in_currency(1_234, "JPY"), "JPY 1234");
    assert_eq!(in_currency(1_234, "KWD"), "KWD 1.234");
    assert_eq!(in_currency(-1, "BHD"), "-BHD 0.001");
    assert_eq!(in_currency(100, "123"), "100 minor units of currency 123");
}

#[test]
fn no_two_currencies_are_shown_alike() {
    let mut shown = BTreeSet::new();
    for code in 0..1_000 {
        let currency: Currency = format!("{code:03}").parse().unwrap();
        let amount = Money::new(100, currency).to_string();
        assert!(shown.insert(amount.clone()), "{code:03}: {amount}");
    }
}

#[test]
fn ids_are_read_in_any_case_and_written_in_lower_case() {
    let id: RequestId = "0F3B1C8E-9D0A-4B6E-8F8A-3C2D1E0F9A8B".parse().unwrap();
    assert_eq!(
        serde_json::to_value(id).unwrap(),
        json!("0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b")
    );
    assert_eq!("no uuid".parse::<AdviceId>(), Err(ParseIdError));
    assert_ne!(RequestId::random(), RequestId::random());
    assert_eq!(RequestId::random().as_uuid().get_version_num(), 4);
}
