//! The promise: nothing secret or personal can be read in `Debug` or `Display` of a message, nor in what is said about a
//! broken one.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use money_transfer_retailer::model::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The compiler holds us to it: what is masked is wiped from memory, too.
const fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
const _: () = is_wiped::<Sensitive>();

/// Every secret in these tests holds this word, so that one search finds any of them.
const SECRET: &str = "SECRET";

fn person() -> Value {
    json!({
        "firstName": "SECRET", "lastName": "SECRET", "idNumber": "SECRET", "idType": "PASSPORT",
        "address": {
            "addressLine1": "SECRET", "addressLine2": "SECRET", "city": "SECRET", "province": "SECRET",
            "country": "SECRET", "postCode": "SECRET",
        },
        "idCountryCode": "SECRET", "nationality": "SECRET", "countryOfBirth": "SECRET", "dateOfBirth": "SECRET",
        "contactNumber": "SECRET", "altContactWork": "SECRET", "altContactHome": "SECRET", "email": "SECRET",
        "accountDetails": {"accountId": "SECRET", "type": "BANK"}, "culturalName": "SECRET",
        "idIssuedDate": "2001-02-03T04:05:06.789Z", "idExpiryDate": "2011-02-03T04:05:06.789Z",
    })
}

fn message() -> Value {
    json!({
        "id": "0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8b",
        "requestId": "0f3b1c8e-9d0a-4b6e-8f8a-3c2d1e0f9a8c",
        "time": "2026-01-31T10:30:00.123+02:00",
        "updateTime": "2026-01-31T10:30:00.123+02:00",
        "amount": {"amount": 79995, "currency": "710"},
        "senderDetails": person(), "recipientDetails": person(), "customerDetails": person(),
        "pin": {"pinBlock": "SECRET", "encryptionParameters": {"accountNumber": "SECRET"}},
        "orderRedeemRef": "SECRET", "orderRedeemRefAlt": "SECRET", "remittanceRef": "SECRET", "idNumber": "SECRET",
        "cashierComment": "SECRET",
        "slipData": {
            "messageLines": [{"text": "SECRET", "barcode": {"data": "SECRET", "encoding": "QR"}}],
            "issuerReference": "SECRET",
        },
        "thirdPartyIdentifiers": [{"institutionId": "1", "transactionIdentifier": "2", "unknown": "SECRET"}],
        "status": "REDEEMED", "reversalReason": "TIMEOUT", "amountIncludesFees": true,
        "orders": [{"amount": {"amount": 1, "currency": "710"}, "orderRedeemRef": "SECRET", "orderRedeemRefAlt": "SECRET"}],
        "errorType": "FORMAT_ERROR", "errorMessage": "no", "detailMessage": {"quoted": "SECRET"},
    })
}

fn assert_masked<T: DeserializeOwned + std::fmt::Debug>() {
    let reading = read::<T>(message().to_string().as_bytes()).unwrap();
    assert_eq!(reading.skipped, Vec::<String>::new());
    for shown in [
        format!("{:?}", reading.value),
        format!("{:#?}", reading.value),
    ] {
        assert!(!shown.contains(SECRET), "{shown}");
        assert!(
            !shown.contains("2001") && !shown.contains("2011"),
            "{shown}"
        );
    }
}

#[test]
fn no_message_shows_a_secret() {
    assert_masked::<CreateOrderRequest>();
    assert_masked::<CreateOrderResponse>();
    assert_masked::<RedeemOrderRequest>();
    assert_masked::<RedeemOrderResponse>();
    assert_masked::<CancelOrderRequest>();
    assert_masked::<CancelOrderResponse>();
    assert_masked::<UpdateOrderPinRequest>();
    assert_masked::<UpdateOrderStatusRequest>();
    assert_masked::<LookupOrderResponse>();
    assert_masked::<OrderHistoryResponse>();
    assert_masked::<AdminMessage>();
    assert_masked::<FeeQuoteRequest>();
    assert_masked::<FeeQuoteResponse>();
    assert_masked::<Confirmation>();
    assert_masked::<Reversal>();
    assert_masked::<ErrorDetail>();
}

#[test]
fn no_query_shows_a_secret() {
    let lookup = LookupOrderQuery::builder()
        .order_redeem_ref(SECRET)
        .remittance_ref(SECRET)
        .build();
    let customer = CustomerInfoQuery::builder().id_number(SECRET).build();
    let fees = FeeQuoteQuery::builder()
        .amount(1)
        .amount_includes_fee(true)
        .id_number(SECRET)
        .sender_cell(SECRET)
        .recipient_cell(SECRET)
        .build();
    let history = OrderHistoryQuery::builder()
        .customer_profile_id("1")
        .payment_identifier_value(SECRET)
        .build();
    let shown = format!("{lookup:?} {customer:?} {fees:?} {history:?}");
    assert!(!shown.contains(SECRET), "{shown}");

    let parameters = [
        lookup.to_query_pairs(),
        customer.to_query_pairs(),
        fees.to_query_pairs(),
        history.to_query_pairs(),
    ];
    let shown = format!("{parameters:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    let secrets = parameters.iter().flatten();
    let secrets = secrets.filter(|(_, value)| value.expose() == SECRET);
    assert_eq!(secrets.count(), 7);
}

#[test]
fn everything_that_the_interface_marks_as_sensitive_is_masked() {
    let facts: Value =
        serde_json::from_str(include_str!("contract/mtri-2.22.openapi.json")).unwrap();
    for (schema, name) in marked(&facts) {
        let shown = debug_of(&schema, &json!({ (name.clone()): SECRET, "type": "BANK" }));
        assert!(
            shown.contains("***") && !shown.contains(SECRET),
            "{schema}.{name}: {shown}"
        );
    }
    assert_eq!(marked(&facts).len(), 20);
}

#[test]
fn everything_that_the_interface_marks_as_sensitive_is_wiped() {
    let facts: Value =
        serde_json::from_str(include_str!("contract/mtri-2.22.openapi.json")).unwrap();
    let mut cancellation = message();
    cancellation["orderRedeemRef"] = json!("");
    let person: PersonalDetails = serde_json::from_value(person()).unwrap();
    let cancellation: CancelOrderRequest = serde_json::from_value(cancellation).unwrap();
    let wiped = wiped_fields(&person, &cancellation);
    assert!(wiped.iter().all(|field| field.expose() == SECRET));
    assert_eq!(wiped.len(), marked(&facts).len());
}

/// Every marked field, by the compiler's word of the type that is wiped.
fn wiped_fields<'a>(
    person: &'a PersonalDetails,
    cancellation: &'a CancelOrderRequest,
) -> Vec<&'a Sensitive> {
    let pin = cancellation.pin.as_ref().unwrap();
    let parameters = pin.encryption_parameters.as_ref().unwrap();
    let account = person.account_details.as_ref().unwrap();
    let address = person.address.as_ref().unwrap();
    let required = [
        &pin.pin_block,
        &parameters.account_number,
        &account.account_id,
    ];
    let optional = [
        &cancellation.id_number,
        &person.first_name,
        &person.last_name,
        &person.id_number,
        &person.nationality,
        &person.country_of_birth,
        &person.date_of_birth,
        &person.contact_number,
        &person.alt_contact_work,
        &person.alt_contact_home,
        &person.email,
        &address.address_line1,
        &address.address_line2,
        &address.city,
        &address.province,
        &address.country,
        &address.post_code,
    ];
    required
        .into_iter()
        .chain(optional.into_iter().flatten())
        .collect()
}

/// Schema and property of everything marked, wherever it stands in the schema.
fn marked(facts: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (schema, facts) in facts["components"]["schemas"].as_object().unwrap() {
        for own in [&facts["properties"], &facts["allOf"][1]["properties"]] {
            let fields = own.as_object().into_iter().flatten();
            let marks =
                |field: &Value| field["x-sensitive"] == true || field["x-never-persist"] == true;
            found.extend(
                fields
                    .filter(|(_, field)| marks(field))
                    .map(|(name, _)| (schema.clone(), name.clone())),
            );
        }
    }
    found
}

fn debug_of(schema: &str, json: &Value) -> String {
    fn debug<T: DeserializeOwned + std::fmt::Debug>(json: &Value) -> String {
        format!("{:?}", serde_json::from_value::<T>(json.clone()).unwrap())
    }
    match schema {
        "Account" => debug::<Account>(json),
        "Address" => debug::<Address>(json),
        "EncryptedPin" => debug::<EncryptedPin>(json),
        "EncryptionParameters" => debug::<EncryptionParameters>(json),
        "PersonalDetails" => debug::<PersonalDetails>(json),
        "MoneyTransferOrderCancelRequest" => debug_of_cancellation(json),
        unknown => panic!("{unknown} has marked fields and no test"),
    }
}

fn debug_of_cancellation(json: &Value) -> String {
    let id_number = json["idNumber"].as_str().unwrap();
    let request = CancelOrderRequest::builder()
        .order_redeem_ref("")
        .id_number(id_number)
        .build();
    format!("{request:?}")
}

#[test]
fn violations_name_the_place_and_the_rule_but_never_the_value() {
    let sender = PersonalDetails::builder()
        .contact_number(SECRET)
        .nationality(SECRET)
        .build();
    let request = CreateOrderRequest::builder()
        .amount(Money::zar(1))
        .sender_details(sender)
        .build();
    let shown = request.check().unwrap_err();
    assert!(
        shown
            .to_string()
            .contains("senderDetails.contactNumber must be an international telephone number")
    );
    assert!(!format!("{shown} {shown:?}").contains(SECRET));
}

#[test]
fn what_is_said_about_an_unreadable_message_does_not_quote_it() {
    let bodies = [
        r#"{"id":"1","amount":"SECRET"}"#,
        r#"SECRET"#,
        r#"{"id":"SECRET","amount":{"amount":"SECRET"}}"#,
        r#""SECRET""#,
    ];
    for body in bodies {
        let error = read::<CreateOrderResponse>(body.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
}

#[test]
fn the_text_of_a_secret_is_on_the_wire_and_on_request_only() {
    let secret = Sensitive::from(SECRET);
    assert_eq!(format!("{secret} {secret:?}"), "*** ***");
    assert_eq!(secret.expose(), SECRET);
    assert_eq!(serde_json::to_string(&secret).unwrap(), r#""SECRET""#);
}

#[test]
fn an_error_is_shown_by_its_codes_and_not_by_words_that_may_quote_somebody() {
    let detail =
        br#"{"errorType":"FORMAT_ERROR","errorMessage":"idNumber 8001015009087 of Nkosi","id":"1",
        "providerErrorMessage":"+27821234567?"}"#;
    let detail = money_transfer_retailer::model::ErrorDetail::recognise(detail).unwrap();
    assert_eq!(detail.to_string(), "FORMAT_ERROR");
    let printed = format!("{detail:?}");
    for secret in ["8001015009087", "27821234567", "Nkosi"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    assert!(
        detail.error_message.contains("8001015009087"),
        "the words themselves stay readable"
    );
}
