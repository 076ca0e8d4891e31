//! What the upstream refused stays until an operator sends it again, corrects it or gives it up; each is on the disk
//! before it is acknowledged, and stays in the record with who decided it.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::error::Error;

use money_transfer_retailer::model::{
    Money, ReversalReason, ThirdPartyIdentifier, ThirdPartyIdentifiers,
};
use money_transfer_retailer::simulator::{Copy, Fault, Operation, Rule};
use money_transfer_retailer::{
    AdviceState, Conflict, Correction, DecisionError, InterventionError, Measure, RequestId,
    Severity, Standing, TransactionRecord,
};
use support::{PATIENCE, Shop, order};

const OPERATOR: &str = "A. Adams";

#[tokio::test]
async fn a_requeued_advice_is_sent_again_to_the_byte() {
    let shop = Shop::open().await;
    let id = refused(&shop).await;
    // Nothing of it goes by itself, after a restart neither.
    let shop = shop.reopen().await;
    shop.upstream.clear_faults();
    assert_eq!(shop.upstream.book().confirmations_of(id).received(), 1);

    let queued = shop.till.requeue(id, OPERATOR).await.unwrap();
    shop.drained().await;
    let record = record(&shop, id);
    let advice = record.advice.unwrap();
    assert_eq!(advice.advice_id, queued.advice_id);
    assert_eq!(advice.state, AdviceState::Accepted);
    assert_eq!(advice.attempts, 2);
    let [told] = &record.interventions[..] else {
        panic!("{:?}", record.interventions);
    };
    assert_eq!(
        (&*told.operator, &told.measure),
        (OPERATOR, &Measure::Requeued)
    );
    assert_eq!(told.refused.as_ref().unwrap().status, Some(400));
    let book = shop.upstream.book();
    let confirmations = book.confirmations_of(id);
    assert_eq!(
        (confirmations.received(), confirmations.distinct_bodies()),
        (2, 1)
    );
    assert!(shop.till.advices().rejected().unwrap().is_empty());
}

#[tokio::test]
async fn what_was_requeued_is_pending_after_a_restart_and_can_be_waited_for() {
    let shop = Shop::open().await;
    let id = refused(&shop).await;
    shop.till.pause();
    let queued = shop.till.requeue(id, OPERATOR).await.unwrap();
    assert_eq!(shop.till.advices().pending_count(), 1);
    shop.upstream.clear_faults();
    let shop = shop.reopen().await;
    assert_eq!(shop.till.recovery().pending, 1);
    let ended = shop.till.advices().wait(queued.advice_id, PATIENCE).await;
    assert_eq!(ended.unwrap().unwrap().state, AdviceState::Accepted);
}

#[tokio::test]
async fn the_till_is_well_again_once_somebody_has_seen_to_what_was_refused() {
    let shop = Shop::open().await;
    let ids = [refused(&shop).await, refused(&shop).await];
    for (seen_to, id) in ids.into_iter().enumerate() {
        let health = shop.till.health();
        assert_eq!(health.rejected, 2 - seen_to);
        assert!(!health.is_well());
        shop.till.abandon(id, "paid back", OPERATOR).await.unwrap();
    }
    assert!(shop.till.health().is_well());
    refused(&shop).await;
    let shop = shop.reopen().await;
    assert_eq!(shop.till.health().rejected, 1);
}

#[tokio::test]
async fn what_is_refused_again_waits_for_a_person_again() {
    let shop = Shop::open().await;
    let id = refused(&shop).await;
    for round in 1..=3 {
        shop.till.requeue(id, OPERATOR).await.unwrap();
        shop.drained().await;
        let rejected = shop.till.advices().rejected().unwrap();
        assert_eq!(rejected[0].attempts, 1 + round);
        assert_eq!(rejected[0].interventions.len() as u32, round);
    }
}

/// That it was refused before is no sign that it had arrived.
#[tokio::test]
async fn a_contradiction_stays_one_however_often_it_is_requeued() {
    let shop = Shop::open().await;
    let id = shop.approved().await.request_id();
    let answer = Fault::error("DUPLICATE_RECORD");
    let always = Rule::on(Operation::ConfirmPayment).always();
    shop.upstream.inject(always.fault(answer));
    shop.till.confirm(id).await.unwrap();
    shop.drained().await;
    for _ in 0..2 {
        assert_eq!(
            record(&shop, id).advice.unwrap().state,
            AdviceState::Rejected
        );
        shop.till.requeue(id, OPERATOR).await.unwrap();
        shop.drained().await;
    }
    assert_eq!(
        record(&shop, id).advice.unwrap().state,
        AdviceState::Rejected
    );
}

#[tokio::test]
async fn a_reissued_advice_has_its_own_id_and_takes_the_place_of_the_refused_one() {
    let shop = Shop::open().await;
    let id = refused(&shop).await;
    let before = record(&shop, id).advice.unwrap();
    shop.upstream.clear_faults();
    let less = Money::zar(50_000);
    let correction = Correction::builder().amount(less.clone()).build();
    let queued = shop.till.reissue(id, correction, OPERATOR).await.unwrap();
    assert_ne!(queued.advice_id, before.advice_id);
    shop.drained().await;
    let shop = shop.reopen().await;
    let record = record(&shop, id);
    let advice = record.advice.unwrap();
    assert_eq!(advice.replaces, Some(before.advice_id));
    assert_eq!(
        (advice.state, advice.amount),
        (AdviceState::Accepted, Some(less))
    );
    assert_eq!(record.interventions[0].measure, Measure::Reissued);
    assert_eq!(record.interventions[0].advice_id, Some(before.advice_id));
    let book = shop.upstream.book();
    let ids = book.confirmations_of(id);
    let ids: Vec<_> = ids.messages().iter().map(|one| one.advice_id()).collect();
    let [old, new] = [before.advice_id, queued.advice_id].map(|one| one.to_string());
    assert_eq!(ids, [Some(&*old), Some(&*new)]);
}

#[tokio::test]
async fn a_reissued_reversal_says_why() {
    let shop = Shop::open().await;
    refuse(&shop, Operation::ReversePayment);
    let id = shop.approved().await.request_id();
    let decided = shop.till.reverse(id, ReversalReason::Cancelled).await;
    decided.unwrap();
    shop.drained().await;
    shop.upstream.clear_faults();
    let correction = Correction::builder()
        .reason(ReversalReason::Timeout)
        .build();
    shop.till.reissue(id, correction, OPERATOR).await.unwrap();
    shop.drained().await;
    let advice = record(&shop, id).advice.unwrap();
    assert_eq!(advice.reason, Some(ReversalReason::Timeout));
    assert_eq!(shop.upstream.book().reversals_of(id).accepted(), 1);
}

#[tokio::test]
async fn what_is_abandoned_is_never_sent_again_and_keeps_its_reason() {
    let shop = Shop::open().await;
    let id = refused(&shop).await;
    let reason = "refunded at the counter, receipt 4711";
    shop.till.abandon(id, reason, OPERATOR).await.unwrap();
    shop.upstream.clear_faults();
    let shop = shop.reopen().await;
    assert!(shop.till.advices().rejected().unwrap().is_empty());
    let record = record(&shop, id);
    let advice = record.advice.unwrap();
    assert_eq!(advice.state, AdviceState::Abandoned);
    assert_eq!(advice.severity(), Severity::Normal);
    let told = Measure::Abandoned {
        reason: reason.to_owned(),
    };
    assert_eq!(record.interventions[0].measure, told);
    assert_eq!(record.receipt.order_redeem_ref, None, "it is settled");
    // The same decision again changes nothing, and no other one follows.
    shop.till.abandon(id, "again", OPERATOR).await.unwrap();
    let conflict = shop.till.requeue(id, OPERATOR).await.unwrap_err();
    assert!(matches!(
        conflict,
        DecisionError::Conflict(Conflict::Settled)
    ));
    assert_eq!(shop.upstream.book().confirmations_of(id).received(), 1);
}

#[tokio::test]
async fn a_duplicate_is_abandoned_once_somebody_has_looked() {
    let shop = Shop::open().await;
    let twice = Rule::on(Operation::CreateOrder).fault(Fault::ProcessTwice(Copy::Second));
    shop.upstream.inject(twice);
    let request = order();
    let id = request.id;
    let _ = shop.till.create_order(request).await.unwrap();
    let reason = "another till's request";
    shop.till.abandon(id, reason, OPERATOR).await.unwrap();
    assert!(shop.till.advices().duplicates().unwrap().is_empty());
    let record = record(&shop, id);
    assert_eq!(record.standing, Standing::Declined);
    assert_eq!(record.interventions[0].advice_id, None);
    assert_eq!(shop.upstream.book().reversals_of(id).received(), 0);
}

#[tokio::test]
async fn what_the_upstream_has_not_refused_is_left_alone() {
    let shop = Shop::open().await;
    let conflict = |error| match error {
        DecisionError::Conflict(conflict) => conflict,
        other => panic!("{other:?}"),
    };
    let undecided = shop.approved().await.request_id();
    let error = shop.till.requeue(undecided, OPERATOR).await.unwrap_err();
    assert_eq!(conflict(error), Conflict::NotRefused);

    shop.till.pause();
    shop.till.confirm(undecided).await.unwrap();
    let error = shop.till.abandon(undecided, "tired of it", OPERATOR).await;
    assert_eq!(conflict(error.unwrap_err()), Conflict::StillPending);

    shop.till.resume().await.unwrap();
    shop.drained().await;
    let error = shop.till.requeue(undecided, OPERATOR).await.unwrap_err();
    assert_eq!(conflict(error), Conflict::Settled);

    let error = shop.till.requeue(RequestId::random(), OPERATOR).await;
    assert!(matches!(error.unwrap_err(), DecisionError::UnknownRequest));
}

#[tokio::test]
async fn somebody_has_to_answer_for_it() {
    let shop = Shop::open().await;
    let id = refused(&shop).await;
    let till = &shop.till;
    let long = "x".repeat(300);
    let nothing = Correction::default;
    let wrong = ThirdPartyIdentifier::new("", "");
    let wrong = ThirdPartyIdentifiers::from(vec![wrong]);
    let wrong = Correction::builder().third_party_identifiers(wrong).build();
    let unknown = ReversalReason::from("BORED");
    let unknown = Correction::builder().reason(unknown).build();
    let errors = [
        till.requeue(id, " ").await.unwrap_err(),
        till.requeue(id, long.clone()).await.unwrap_err(),
        till.reissue(id, nothing(), "").await.unwrap_err(),
        till.reissue(id, unknown, OPERATOR).await.unwrap_err(),
        till.abandon(id, " ", OPERATOR).await.unwrap_err(),
        till.abandon(id, long, OPERATOR).await.unwrap_err(),
    ];
    let found = errors.map(|error| match error {
        DecisionError::Intervention(error) => error,
        other => panic!("{other:?}"),
    });
    use InterventionError as E;
    let expected = [
        E::NoOperator,
        E::OperatorTooLong,
        E::NoOperator,
        E::UnknownReversalReason,
        E::NoReason,
        E::ReasonTooLong,
    ];
    assert_eq!(found, expected);
    let error = till.reissue(id, wrong, OPERATOR).await.unwrap_err();
    let rules = error.source().unwrap().to_string();
    assert!(
        rules.contains("thirdPartyIdentifiers[0].institutionId"),
        "{rules}"
    );
    assert!(record(&shop, id).interventions.is_empty());
    assert_eq!(shop.upstream.book().confirmations_of(id).received(), 1);
}

/// An order whose confirmation the upstream refuses, as it refuses all until the faults are cleared.
async fn refused(shop: &Shop) -> RequestId {
    refuse(shop, Operation::ConfirmPayment);
    let id = shop.approved().await.request_id();
    shop.till.confirm(id).await.unwrap();
    shop.drained().await;
    id
}

fn refuse(shop: &Shop, advice: Operation) {
    let answer = Fault::error("UNABLE_TO_LOCATE_RECORD");
    shop.upstream
        .inject(Rule::on(advice).always().fault(answer));
}

fn record(shop: &Shop, id: RequestId) -> TransactionRecord {
    shop.till.transaction(id).unwrap().unwrap()
}
