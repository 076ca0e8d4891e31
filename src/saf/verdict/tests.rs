//! Each row of the table, for confirmations and reversals, with and without an approval.

use super::*;
use crate::api::Declined;
use crate::api::InDoubt;
use crate::api::{Problem, Unanswered};
use crate::model::ReversalReason;
use crate::model::{Currency, Money, Timestamp};
use crate::saf::intervention::{Remedy, Signature};
use crate::saf::sample::{after, approved, draft, not_sent, refusal, sent};
use crate::saf::{Attempt, AttemptOutcome, Draft, Event};

use Settlement::{Accepted, ArrivedEarlier, NotOffered, NothingToReverse, Rejected};
use Verdict::{LookUp, Repeat, Settle};

const FIRST_TRY: Circumstances = Circumstances {
    possibly_sent_before: false,
    request_has_landed: false,
};
const REPEATED: Circumstances = Circumstances {
    possibly_sent_before: true,
    ..FIRST_TRY
};
const LANDED: Circumstances = Circumstances {
    request_has_landed: true,
    ..FIRST_TRY
};
const REPEATED_AND_LANDED: Circumstances = Circumstances {
    possibly_sent_before: true,
    request_has_landed: true,
};
const ALL: [Circumstances; 4] = [FIRST_TRY, REPEATED, LANDED, REPEATED_AND_LANDED];

fn confirmation(operation: Operation) -> Transaction {
    after(
        &after(&sent(operation), approved()),
        Event::Confirm(draft(), None),
    )
}

fn reversal(operation: Operation) -> Transaction {
    after(&after(&sent(operation), approved()), reverse(draft()))
}

fn reverse(draft: Draft) -> Event {
    Event::Reverse(draft, ReversalReason::Cancelled)
}

/// The reversal of a request that never got an answer.
fn reversal_of_the_unknown() -> Transaction {
    let event = Event::Unknown(draft(), ReversalReason::Timeout);
    after(&sent(Operation::CreateOrder), event)
}

fn every_kind() -> [Transaction; 6] {
    use Operation::{CancelOrder, CreateOrder, RedeemOrder};
    [
        confirmation(CreateOrder),
        confirmation(RedeemOrder),
        reversal(CreateOrder),
        reversal(RedeemOrder),
        reversal(CancelOrder),
        reversal_of_the_unknown(),
    ]
}

fn verdict(transaction: &Transaction, outcome: &AdviceOutcome, known: Circumstances) -> Verdict {
    let advice = transaction.advice().expect("there is a decision");
    judge(transaction, advice, outcome, known, &InDoubt)
}

fn refused(error_type: ErrorType, id: &str) -> AdviceOutcome {
    AdviceOutcome::Refused(refusal(400, error_type, id))
}

fn own_id(transaction: &Transaction) -> String {
    let advice = transaction.advice().expect("there is a decision");
    advice.id.to_string()
}

fn unanswered() -> Unanswered {
    Unanswered::new(Problem::TimedOut)
}

#[test]
fn what_the_service_took_is_settled() {
    for transaction in every_kind() {
        for known in ALL {
            let outcome = AdviceOutcome::Accepted { status: 202 };
            assert_eq!(verdict(&transaction, &outcome, known), Settle(Accepted));
        }
    }
}

#[test]
fn what_has_no_final_answer_is_repeated() {
    for transaction in every_kind() {
        for known in ALL {
            let outcome = AdviceOutcome::NotSent(not_sent());
            assert_eq!(verdict(&transaction, &outcome, known), Repeat);
            let outcome = AdviceOutcome::Unknown(unanswered());
            assert_eq!(verdict(&transaction, &outcome, known), Repeat);
        }
    }
}

#[test]
fn an_error_about_the_sender_rejects_no_advice() {
    for transaction in every_kind() {
        for known in ALL {
            let outcome = refused(ErrorType::AuthenticationError, &own_id(&transaction));
            assert_eq!(verdict(&transaction, &outcome, known), Repeat);
        }
    }
}

#[test]
fn a_refusal_without_a_named_reason_is_a_rejection() {
    let refusal = Declined {
        detail: None,
        ..refusal(400, ErrorType::FormatError, "7")
    };
    let outcome = AdviceOutcome::Refused(refusal);
    for transaction in every_kind() {
        for known in ALL {
            assert_eq!(verdict(&transaction, &outcome, known), Settle(Rejected));
        }
    }
}

#[test]
fn an_advice_that_the_upstream_does_not_offer_is_not_taken_for_a_rejected_one() {
    let (bare, named) = (None, Some(ErrorType::TransactionNotSupported));
    for transaction in every_kind() {
        for error_type in [&bare, &named] {
            let id = own_id(&transaction);
            let detail = error_type.as_ref();
            let detail = detail.and_then(|kind| refusal(501, kind.clone(), &id).detail);
            let outcome = AdviceOutcome::Refused(Declined {
                detail,
                ..refusal(501, ErrorType::FormatError, &id)
            });
            for known in ALL {
                assert_eq!(verdict(&transaction, &outcome, known), Settle(NotOffered));
            }
        }
    }
}

#[test]
fn every_other_error_is_a_rejection_whatever_is_known() {
    let special = [
        ErrorType::AuthenticationError,
        ErrorType::UnableToLocateRecord,
        ErrorType::DuplicateRecord,
    ];
    let unknown = ErrorType::from("NEW_TYPE");
    let others = ErrorType::ALL.iter().chain([&unknown]);
    for error_type in others.filter(|error_type| !special.contains(error_type)) {
        for transaction in every_kind() {
            for known in ALL {
                let outcome = refused(error_type.clone(), &own_id(&transaction));
                let found = verdict(&transaction, &outcome, known);
                assert_eq!(found, Settle(Rejected), "{error_type}");
            }
        }
    }
}

#[test]
fn there_is_nothing_to_reverse_only_once_the_request_cannot_be_on_its_way_any_more() {
    let transaction = reversal_of_the_unknown();
    let outcome = refused(ErrorType::UnableToLocateRecord, &own_id(&transaction));
    for (known, expected) in [
        (FIRST_TRY, Repeat),
        (REPEATED, Repeat),
        (LANDED, Settle(NothingToReverse)),
        (REPEATED_AND_LANDED, Settle(NothingToReverse)),
    ] {
        let found = verdict(&transaction, &outcome, known);
        assert_eq!(found, expected, "{known:?}");
    }
}

#[test]
fn it_is_an_alarm_too_where_damage_may_have_taken_the_approval() {
    let mut transaction = reversal_of_the_unknown();
    transaction.in_doubt = true;
    let outcome = refused(ErrorType::UnableToLocateRecord, &own_id(&transaction));
    for known in ALL {
        let found = verdict(&transaction, &outcome, known);
        assert_eq!(found, Settle(Rejected), "{known:?}");
    }
}

#[test]
fn an_upstream_that_does_not_know_what_it_approved_is_an_alarm() {
    let [unknown, approved @ ..] = {
        let mut kinds = every_kind();
        kinds.reverse();
        kinds
    };
    assert!(unknown.approval.is_none());
    for transaction in approved {
        for known in ALL {
            let outcome = refused(ErrorType::UnableToLocateRecord, &own_id(&transaction));
            let found = verdict(&transaction, &outcome, known);
            assert_eq!(found, Settle(Rejected), "{:?}", transaction.state);
        }
    }
}

#[test]
fn a_duplicate_that_cannot_have_been_sent_before_is_a_rejection() {
    for transaction in every_kind() {
        for known in [FIRST_TRY, LANDED] {
            let outcome = refused(ErrorType::DuplicateRecord, &own_id(&transaction));
            assert_eq!(verdict(&transaction, &outcome, known), Settle(Rejected));
        }
    }
}

#[test]
fn a_duplicate_of_another_message_is_a_rejection() {
    for transaction in every_kind() {
        let request_id = transaction.request_id.to_string();
        for id in ["", "7", request_id.as_str()] {
            for known in ALL {
                let outcome = refused(ErrorType::DuplicateRecord, id);
                assert_eq!(verdict(&transaction, &outcome, known), Settle(Rejected));
            }
        }
    }
}

#[test]
fn a_duplicate_of_an_advice_that_may_have_been_sent_is_looked_up() {
    for transaction in every_kind() {
        let can_be_looked_up = transaction.approval.is_some();
        for id in [own_id(&transaction), own_id(&transaction).to_uppercase()] {
            for known in [REPEATED, REPEATED_AND_LANDED] {
                let outcome = refused(ErrorType::DuplicateRecord, &id);
                let expected = match can_be_looked_up {
                    true => LookUp,
                    false => Settle(ArrivedEarlier),
                };
                assert_eq!(verdict(&transaction, &outcome, known), expected);
            }
        }
    }
}

#[test]
fn what_cannot_be_looked_up_is_taken_to_have_arrived() {
    let mut without_receiver = confirmation(Operation::CreateOrder);
    without_receiver.receiver_id = None;
    let mut without_reference = confirmation(Operation::CreateOrder);
    without_reference.receipt.order_redeem_ref = None;
    for transaction in [without_receiver, without_reference] {
        let outcome = refused(ErrorType::DuplicateRecord, &own_id(&transaction));
        let found = verdict(&transaction, &outcome, REPEATED);
        assert_eq!(found, Settle(ArrivedEarlier));
    }
}

fn order(status: Option<&str>) -> QueryOutcome<LookupOrderResponse> {
    QueryOutcome::Answered(
        LookupOrderResponse::builder()
            .amount(Money::new(79_995, Currency::ZAR))
            .maybe_status(status.map(OrderStatus::from))
            .build(),
    )
}

const CANCELLED: Option<&str> = Some("CANCELLED");
const REDEEMED: Option<&str> = Some("REDEEMED");
const OTHERS: [Option<&str>; 3] = [Some("UNREDEEMED"), Some("NEW_STATUS"), None];

#[test]
fn only_the_order_itself_contradicts_an_advice() {
    use Operation::{CancelOrder, CreateOrder, RedeemOrder};
    for (transaction, cancelled, redeemed) in [
        (confirmation(CreateOrder), Rejected, ArrivedEarlier),
        (confirmation(RedeemOrder), Rejected, ArrivedEarlier),
        (reversal(CreateOrder), ArrivedEarlier, Rejected),
        (reversal(RedeemOrder), ArrivedEarlier, ArrivedEarlier),
        (reversal(CancelOrder), ArrivedEarlier, ArrivedEarlier),
    ] {
        let found = |status| looked_up(&transaction, &order(status));
        assert_eq!(found(CANCELLED), Settle(cancelled), "{transaction:?}");
        assert_eq!(found(REDEEMED), Settle(redeemed), "{transaction:?}");
        for status in OTHERS {
            // Of a reversed creation only CANCELLED says that it arrived; a payout that was confirmed
            // leaves nothing to be redeemed.
            let is_open = is_reversed_creation(&transaction)
                || is_confirmed_payout(&transaction) && status == Some("UNREDEEMED");
            let expected = match is_open {
                true => Repeat,
                false => Settle(ArrivedEarlier),
            };
            assert_eq!(found(status), expected, "{status:?} {transaction:?}");
        }
    }
}

fn is_reversed_creation(transaction: &Transaction) -> bool {
    let is_reversed = matches!(transaction.state, State::Reversing(_));
    is_reversed && transaction.operation == Operation::CreateOrder
}

fn is_confirmed_payout(transaction: &Transaction) -> bool {
    let is_confirmed = matches!(transaction.state, State::Confirming(_));
    is_confirmed && transaction.operation == Operation::RedeemOrder
}

#[test]
fn an_order_whose_confirmation_is_still_to_be_processed_settles_nothing() {
    let found = looked_up(
        &confirmation(Operation::CreateOrder),
        &order(Some("UNCONFIRMED")),
    );
    assert_eq!(found, Repeat);
}

/// What a look at the order comes to at the beginning of the world.
fn looked_up(transaction: &Transaction, outcome: &QueryOutcome<LookupOrderResponse>) -> Verdict {
    judge_lookup(transaction, outcome, minutes(0)).verdict
}

fn minutes(count: i64) -> Timestamp {
    Timestamp::from_unix_millis(count * 60_000).unwrap()
}

/// The transaction after so many attempts, a minute apart, whose look at the order came to `outcome`.
fn looked_at(
    transaction: Transaction,
    at: std::ops::Range<i64>,
    outcome: &QueryOutcome<LookupOrderResponse>,
) -> Transaction {
    at.fold(transaction, |before, minute| {
        let looked_up = judge_lookup(&before, outcome, minutes(minute));
        assert_eq!(looked_up.verdict, Repeat, "minute {minute}");
        let attempt = Attempt::new(minutes(minute), AttemptOutcome::Refused);
        let attempt = attempt.with_look("it said something", looked_up.finding);
        after(&before, Event::Attempted(attempt))
    })
}

#[test]
fn what_an_order_speaks_against_for_long_becomes_a_persons() {
    let unconfirmed = order(Some("UNCONFIRMED"));
    let unredeemed = order(Some("UNREDEEMED"));
    for (transaction, speaks_against_it) in [
        (confirmation(Operation::CreateOrder), &unconfirmed),
        (confirmation(Operation::RedeemOrder), &unredeemed),
        (reversal(Operation::CreateOrder), &unredeemed),
    ] {
        let looked_at = looked_at(transaction, 0..30, speaks_against_it);
        let last = |outcome| judge_lookup(&looked_at, outcome, minutes(30)).verdict;
        assert_eq!(last(speaks_against_it), Settle(Rejected));
        // Anything else begins a new count.
        let unauthorised = QueryOutcome::Failed(refusal(400, ErrorType::AuthenticationError, "7"));
        let limited = QueryOutcome::Failed(refusal(400, ErrorType::DailyLimitExceeded, "7"));
        assert_eq!(last(&unauthorised), Repeat);
        assert_eq!(last(&limited), Repeat);
        let attempt = Attempt::new(minutes(30), AttemptOutcome::Unknown);
        let doubted = after(&looked_at, Event::Attempted(attempt));
        let again = judge_lookup(&doubted, speaks_against_it, minutes(31));
        assert_eq!(again.verdict, Repeat);
    }
}

#[test]
fn neither_an_operator_in_a_hurry_nor_a_clock_that_jumps_makes_it_long() {
    let unconfirmed = order(Some("UNCONFIRMED"));
    let sold = || confirmation(Operation::CreateOrder);
    let last = |transaction: &Transaction, minute| {
        judge_lookup(transaction, &unconfirmed, minutes(minute)).verdict
    };
    let hurried = (0..100).fold(sold(), |before, _| looked_at(before, 0..1, &unconfirmed));
    assert_eq!(last(&hurried, 29), Repeat);
    assert_eq!(last(&hurried, 30), Settle(Rejected));
    let few = looked_at(sold(), 0..14, &unconfirmed);
    assert_eq!(last(&few, 1_000_000), Repeat);
    let set_back = looked_at(sold(), 1_000..1_020, &unconfirmed);
    assert_eq!(last(&set_back, 0), Repeat);
    let set_back = looked_at(set_back, 0..30, &unconfirmed);
    assert_eq!(last(&set_back, 30), Settle(Rejected));
}

/// Refused credentials say nothing about an order.
#[test]
fn refusals_without_a_look_count_for_nothing() {
    let unconfirmed = order(Some("UNCONFIRMED"));
    let refused = (0..100).fold(confirmation(Operation::CreateOrder), |before, minute| {
        let attempt = Attempt::new(minutes(minute), AttemptOutcome::Refused);
        after(&before, Event::Attempted(attempt))
    });
    let first = judge_lookup(&refused, &unconfirmed, minutes(100));
    assert_eq!(first.verdict, Repeat);
}

#[test]
fn an_order_about_which_nothing_is_ever_said_leaves_the_inference() {
    let limited = QueryOutcome::Failed(refusal(400, ErrorType::DailyLimitExceeded, "7"));
    for transaction in every_kind() {
        let looked_at = looked_at(transaction, 0..30, &limited);
        let last = judge_lookup(&looked_at, &limited, minutes(30));
        assert_eq!(last.verdict, Settle(ArrivedEarlier));
    }
}

#[test]
fn what_is_sent_again_by_a_person_is_tried_anew() {
    let unconfirmed = order(Some("UNCONFIRMED"));
    let looked_at = looked_at(confirmation(Operation::CreateOrder), 0..30, &unconfirmed);
    let last = judge_lookup(&looked_at, &unconfirmed, minutes(30));
    let attempt = Attempt::new(minutes(30), AttemptOutcome::Refused);
    let attempt = attempt.with_look("the order is UNCONFIRMED", last.finding);
    let rejected = after(&looked_at, Event::Settled(attempt, Rejected));
    let signature = Signature {
        at: minutes(31),
        operator: "A. Adams".to_owned(),
    };
    let requeued = after(&rejected, Event::Remedied(Remedy::Requeue, signature));
    let first = judge_lookup(&requeued, &unconfirmed, minutes(32));
    assert_eq!(first.verdict, Repeat);
}

#[test]
fn what_a_look_said_stands_behind_the_error_and_quotes_nobody() {
    let said = what_it_said(&order(Some("UNCONFIRMED")));
    let attempt = Attempt::new(minutes(0), AttemptOutcome::Refused)
        .with_error(&"400 DUPLICATE_RECORD")
        .with_look(&said, None);
    let told = "400 DUPLICATE_RECORD; the order is UNCONFIRMED";
    assert_eq!(attempt.error.as_deref(), Some(told));
    let strange = what_it_said(&order(Some("of Thandi Nkosi")));
    assert!(!strange.contains("Thandi"), "{strange}");
}

#[test]
fn a_lookup_without_an_answer_settles_nothing() {
    for transaction in every_kind() {
        let outcome = QueryOutcome::NotSent(not_sent());
        assert_eq!(looked_up(&transaction, &outcome), Repeat);
        let outcome = QueryOutcome::Unknown(unanswered());
        assert_eq!(looked_up(&transaction, &outcome), Repeat);
    }
}

#[test]
fn a_lookup_that_the_service_does_not_offer_leaves_the_inference() {
    for transaction in every_kind() {
        let outcome = QueryOutcome::NotSupported { status: 501 };
        let found = looked_up(&transaction, &outcome);
        assert_eq!(found, Settle(ArrivedEarlier));
        for status in [404, 405] {
            let outcome = QueryOutcome::NotSupported { status };
            assert_eq!(looked_up(&transaction, &outcome), Repeat, "{status}");
        }
    }
}

#[test]
fn an_upstream_that_knows_no_such_order_did_not_take_its_advice() {
    for transaction in every_kind() {
        let refusal = refusal(400, ErrorType::UnableToLocateRecord, "7");
        let found = looked_up(&transaction, &QueryOutcome::Failed(refusal));
        assert_eq!(found, Settle(Rejected));
    }
}

#[test]
fn a_lookup_that_somebody_else_turned_away_settles_nothing() {
    let about_the_sender = refusal(400, ErrorType::AuthenticationError, "7");
    let turned_away = [401, 403, 407].map(|status| Declined {
        detail: None,
        excerpt: Some("<html>".into()),
        ..refusal(status, ErrorType::FormatError, "7")
    });
    for refusal in turned_away.into_iter().chain([about_the_sender]) {
        let outcome = QueryOutcome::Failed(refusal);
        for transaction in every_kind() {
            let found = looked_up(&transaction, &outcome);
            assert_eq!(found, Repeat, "{outcome:?}");
        }
    }
}
