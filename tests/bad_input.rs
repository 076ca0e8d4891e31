//! Bad input gets a typed error that says what to do, before anything is sent or stored.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::error::Error;
use std::time::Duration;

use money_transfer_retailer::model::{
    CreateOrderRequest, Institution, Money, PersonalDetails, RedeemOrderRequest, SlipData, SlipLine,
};
use money_transfer_retailer::{
    Client, Credentials, HttpSetupError, OpenError, OrderOutcome, RequestError, RetryPolicy,
};
use support::{PATIENCE, Shop, order, till};

const LOCAL: &str = "http://127.0.0.1:1/moneytransfer/v2";

#[tokio::test]
async fn a_missing_setting_is_named() {
    let refused = Client::builder().open().await.unwrap_err();
    assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
    let refused = Client::builder()
        .base_url(LOCAL)
        .credentials(Credentials::new("u", "p"))
        .open()
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("queue_dir()"), "{refused}");
}

#[tokio::test]
async fn plain_http_beyond_this_machine_is_refused_unless_it_is_asked_for() {
    let queue = tempfile::tempdir().unwrap();
    let builder = till("http://upstream.example/moneytransfer/v2", queue.path());
    let refused = builder.clone().open().await.unwrap_err();
    let OpenError::Upstream(HttpSetupError::PlainHttp { host }) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(host, "upstream.example");
    let advice = refused.source().unwrap().to_string();
    assert!(
        advice.contains("https://") && advice.contains("allow_plain_http()"),
        "{advice}"
    );
    builder.allow_plain_http().open().await.unwrap();
}

#[tokio::test]
async fn a_queue_directory_that_cannot_be_written_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let refused = till(LOCAL, &file.join("queue")).open().await.unwrap_err();
    assert!(
        matches!(refused, OpenError::Directory { .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("a-file"), "{refused}");
}

#[tokio::test]
async fn a_second_client_on_the_same_directory_is_told_the_path_and_the_owner() {
    let shop = Shop::open().await;
    let second = till(LOCAL, shop.queue.path()).open().await.unwrap_err();
    let OpenError::InUse { path, holder } = &second else {
        panic!("{second:?}");
    };
    assert_eq!(path, shop.queue.path());
    assert_eq!(*holder, format!("process {}", std::process::id()));
    assert!(
        second.to_string().contains(&path.display().to_string()),
        "{second}"
    );

    // The owner is none the worse for it.
    shop.approved().await.confirm().await.unwrap();
    shop.drained().await;
}

#[tokio::test]
async fn a_directory_is_free_again_as_soon_as_its_client_is_shut_down() {
    let shop = Shop::open().await;
    let clone = shop.till.clone();
    shop.till.shutdown(PATIENCE).await;
    let next = till(LOCAL, shop.queue.path()).open().await;
    assert!(next.is_ok(), "{next:?}");
    let closed = clone.create_order(order()).await.unwrap_err();
    assert!(matches!(closed, RequestError::Closed { .. }), "{closed}");
}

#[tokio::test]
async fn settings_that_could_never_work_are_refused() {
    let queue = tempfile::tempdir().unwrap();
    let zero = till(LOCAL, queue.path())
        .timeout(Duration::ZERO)
        .open()
        .await;
    assert!(
        matches!(zero, Err(OpenError::Zero { setting: "timeout" })),
        "{zero:?}"
    );
    let none = RetryPolicy::default().parallel(0);
    let none = till(LOCAL, queue.path()).retry_policy(none).open().await;
    assert!(matches!(none, Err(OpenError::RetryPolicy(_))), "{none:?}");
    let nobody = till(LOCAL, queue.path())
        .receiver(Institution::new("", ""))
        .open()
        .await;
    assert!(matches!(nobody, Err(OpenError::Defaults(_))), "{nobody:?}");
}

#[tokio::test]
async fn an_invalid_request_lists_every_violation_and_is_neither_sent_nor_stored() {
    let shop = Shop::open().await;
    let sender = PersonalDetails::builder()
        .contact_number("not a number")
        .nationality("ZAF")
        .build();
    let request = CreateOrderRequest::builder()
        .amount(Money::zar(100))
        .sender_details(sender)
        .build();
    let refused = shop.till.create_order(request).await.unwrap_err();
    let RequestError::Invalid { source, .. } = &refused else {
        panic!("{refused:?}");
    };
    let paths: Vec<&str> = source.iter().map(|violation| violation.path()).collect();
    assert!(paths.contains(&"senderDetails.contactNumber"), "{paths:?}");
    assert!(paths.contains(&"senderDetails.nationality"), "{paths:?}");
    assert!(!format!("{refused:?} {source}").contains("not a number"));
    assert!(shop.upstream.book().is_empty());
}

/// JSON writes what is not finite as `null`.
#[tokio::test]
async fn a_scale_factor_that_is_not_finite_is_refused_with_its_place() {
    let shop = Shop::open().await;
    let infinite = SlipLine::builder()
        .text("")
        .font_width_scale_factor(1.5)
        .font_height_scale_factor(f64::NEG_INFINITY)
        .build();
    let no_number = SlipLine::builder()
        .text("")
        .font_width_scale_factor(f64::NAN)
        .build();
    let mut request = order();
    let lines = vec![infinite, no_number];
    request.slip_data = Some(SlipData::builder().message_lines(lines).build());
    let refused = shop.till.create_order(request).await.unwrap_err();
    let RequestError::Invalid { source, .. } = &refused else {
        panic!("{refused:?}");
    };
    let told: Vec<String> = source.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "slipData.messageLines[0].fontHeightScaleFactor must be finite",
            "slipData.messageLines[1].fontWidthScaleFactor must be finite",
        ]
    );
    assert!(shop.upstream.book().is_empty());
}

#[tokio::test]
async fn a_request_id_that_was_used_for_something_else_is_refused() {
    let shop = Shop::open().await;
    let request = order();
    drop(shop.till.create_order(request.clone()).await.unwrap());
    let mut dearer = request.clone();
    dearer.amount = Money::zar(100_000);
    let redeem = RedeemOrderRequest::builder()
        .id(request.id)
        .order_redeem_ref("12345678901234567890")
        .build();
    let dearer = shop.till.create_order(dearer).await.unwrap_err();
    let redeem = shop.till.redeem_order(redeem).await;
    for refused in [dearer, redeem.unwrap_err()] {
        assert!(
            matches!(refused, RequestError::KnownRequest { .. }),
            "{refused}"
        );
    }
    assert_eq!(shop.upstream.book().messages().count(), 1);
}

#[tokio::test]
async fn an_upstream_that_does_not_exist_is_an_outcome_and_not_an_error() {
    let shop = Shop::open().await;
    shop.upstream.go_down().await.unwrap();
    let outcome = shop.till.create_order(order()).await.unwrap();
    assert!(matches!(outcome, OrderOutcome::NotSent(_)), "{outcome:?}");
}

#[tokio::test]
async fn an_id_that_is_no_random_uuid_is_refused_before_anything_is_sent() {
    let shop = Shop::open().await;
    for id in [
        "00000000-0000-0000-0000-000000000000",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    ] {
        let mut request = order();
        request.id = id.parse().unwrap();
        let refused = shop.till.create_order(request).await.unwrap_err();
        let RequestError::Invalid { source, .. } = &refused else {
            panic!("{refused:?}");
        };
        assert!(
            source.iter().any(|violation| violation.path() == "id"),
            "{source}"
        );
    }
    assert!(shop.upstream.book().is_empty());
}
