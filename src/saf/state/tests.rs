//! The transition function against a table of its own, and against thousands of random lives.

use super::*;
use crate::saf::sample::{after, approved, attempt, draft, identifiers, sent};
use crate::saf::{AttemptOutcome, Correction, Measure};

const SETTLEMENTS: [Settlement; 6] = [
    Settlement::Accepted,
    Settlement::NothingToReverse,
    Settlement::ArrivedEarlier,
    Settlement::Rejected,
    Settlement::NotOffered,
    Settlement::Abandoned,
];

/// What follows: the name of the next state, `=` for no change, `!` and the name of the conflict.
///
/// Columns: approved, declined, not sent, unknown, confirm, complete, reverse, attempted, settled, duplicate, tender
/// started, doubted, asked, expired.
#[rustfmt::skip]
const TABLE: [(&str, [&str; 14]); 14] = [
    ("sent", ["Approved", "Declined", "NotSent", "Reversing", "!StillUnderWay", "!StillUnderWay", "!StillUnderWay", "!StillUnderWay", "!StillUnderWay", "Duplicate", "!StillUnderWay", "Sent", "=", "="]),
    ("not sent", ["!NotSent", "!NotSent", "!NotSent", "!NotSent", "!NotSent", "!NotSent", "!NotSent", "!NotSent", "!NotSent", "!NotSent", "!NotSent", "=", "=", "="]),
    ("declined", ["!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "=", "=", "="]),
    ("duplicate", ["!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "!Declined", "Reversing", "!Declined", "!Declined", "!Declined", "!Declined", "=", "=", "="]),
    ("approved", ["!Undecided", "!Undecided", "!Undecided", "!Undecided", "Confirming", "!NoSuchAdvice", "Reversing", "!Undecided", "!Undecided", "!Undecided", "Approved", "Approved", "=", "Reversing"]),
    ("approved cancellation", ["!Undecided", "!Undecided", "!Undecided", "!Undecided", "!NoSuchAdvice", "Completed", "Reversing", "!Undecided", "!Undecided", "!Undecided", "Approved", "Approved", "=", "="]),
    ("completed", ["!Completed", "!Completed", "!Completed", "!Completed", "!Completed", "=", "!Completed", "!Completed", "!Completed", "!Completed", "!Completed", "=", "=", "="]),
    ("confirming", ["!Confirmed", "!Confirmed", "!Confirmed", "!Confirmed", "=", "!Confirmed", "!Confirmed", "Confirming", "Confirming", "!Confirmed", "!Confirmed", "=", "=", "="]),
    ("confirming, repeated", ["!Confirmed", "!Confirmed", "!Confirmed", "!Confirmed", "=", "!Confirmed", "!Confirmed", "Confirming", "Confirming", "!Confirmed", "!Confirmed", "=", "=", "="]),
    ("confirmation settled", ["!Confirmed", "!Confirmed", "!Confirmed", "!Confirmed", "=", "!Confirmed", "!Confirmed", "!Settled", "!Settled", "!Confirmed", "!Confirmed", "=", "=", "="]),
    ("reversing", ["!Reversed", "!Reversed", "!Reversed", "=", "!Reversed", "!Reversed", "=", "Reversing", "Reversing", "!Reversed", "!Reversed", "=", "=", "="]),
    ("reversing the unknown", ["!Reversed", "!Reversed", "!Reversed", "=", "!Reversed", "!Reversed", "=", "Reversing", "Reversing", "!Reversed", "!Reversed", "=", "=", "="]),
    ("reversing a cancellation", ["!Reversed", "!Reversed", "!Reversed", "=", "!Reversed", "!Reversed", "=", "Reversing", "Reversing", "!Reversed", "!Reversed", "=", "=", "="]),
    ("reversal settled", ["!Reversed", "!Reversed", "!Reversed", "=", "!Reversed", "!Reversed", "=", "!Settled", "!Settled", "!Reversed", "!Reversed", "=", "=", "="]),
];

/// Every transaction that a row speaks of.
fn transactions(row: &str) -> Vec<Transaction> {
    let order = sent(Operation::CreateOrder);
    let approved_order = after(&order, approved());
    let cancellation = after(&sent(Operation::CancelOrder), approved());
    let confirming = after(&approved_order, Event::Confirm(draft(), None));
    let reversing = after(&approved_order, reverse());
    vec![match row {
        "sent" => order,
        "not sent" => after(&order, Event::NotSent),
        "declined" => after(&order, Event::Declined),
        "duplicate" => after(&order, Event::Duplicate),
        "approved" => approved_order,
        "approved cancellation" => cancellation,
        "completed" => after(&cancellation, Event::Complete),
        "confirming" => confirming,
        "confirming, repeated" => after(&confirming, attempted()),
        "confirmation settled" => return settled_in_each_way(&confirming),
        "reversing" => reversing,
        "reversing the unknown" => after(&order, unknown()),
        "reversing a cancellation" => after(&cancellation, reverse()),
        "reversal settled" => return settled_in_each_way(&reversing),
        other => panic!("no such row: {other}"),
    }]
}

fn settled_in_each_way(transaction: &Transaction) -> Vec<Transaction> {
    SETTLEMENTS
        .map(|settlement| after(transaction, settled(settlement)))
        .to_vec()
}

/// One event of each kind: first those of the table, in the order of its columns.
fn events() -> Vec<Event> {
    let [requeued, reissued, abandoned] = remedies();
    vec![
        approved(),
        Event::Declined,
        Event::NotSent,
        unknown(),
        Event::Confirm(draft(), None),
        Event::Complete,
        reverse(),
        attempted(),
        settled(Settlement::Accepted),
        Event::Duplicate,
        Event::TenderStarted,
        Event::Doubted,
        Event::Asked,
        Event::Expired(draft()),
        requeued,
        reissued,
        abandoned,
    ]
}

fn remedies() -> [Event; 3] {
    let reissue = Remedy::Reissue(draft(), Correction::default());
    let reason = "paid back in cash".to_owned();
    [Remedy::Requeue, reissue, Remedy::Abandon { reason }]
        .map(|remedy| Event::Remedied(remedy, signature()))
}

fn signature() -> Signature {
    Signature {
        at: Timestamp::unix_epoch(),
        operator: "A. Adams".to_owned(),
    }
}

/// What a person can do about a settled advice: requeue, reissue, abandon.
#[test]
fn a_person_decides_on_what_was_refused_and_on_nothing_else() {
    for (row, expected) in [
        ("sent", ["!NotRefused"; 3]),
        ("not sent", ["!NotRefused"; 3]),
        ("declined", ["!NotRefused"; 3]),
        ("duplicate", ["!NotRefused", "!NotRefused", "Declined"]),
        ("approved", ["!NotRefused"; 3]),
        ("completed", ["!NotRefused"; 3]),
        ("confirming", ["!StillPending"; 3]),
        ("reversing", ["!StillPending"; 3]),
        ("reversing the unknown", ["!StillPending"; 3]),
    ] {
        for transaction in transactions(row) {
            let found = remedies().map(|event| in_words(transaction.after(event)));
            assert_eq!(found, expected, "{row}");
        }
    }
    for (row, again) in [
        ("confirmation settled", "Confirming"),
        ("reversal settled", "Reversing"),
    ] {
        for transaction in transactions(row) {
            let end = transaction.advice().unwrap().settlement.unwrap();
            let found = remedies().map(|event| in_words(transaction.after(event)));
            let expected = match end {
                Settlement::Rejected | Settlement::NotOffered => [again; 3],
                Settlement::Abandoned => ["!Settled", "!Settled", "="],
                _ => ["!Settled"; 3],
            };
            assert_eq!(found, expected, "{row}: {end:?}");
        }
    }
}

#[test]
fn what_is_requeued_is_the_same_advice_at_the_end_of_the_list() {
    let mut refused = transactions("confirmation settled").remove(3);
    refused.advice_number = Some(7);
    let [requeue, _, _] = remedies();
    let requeued = after(&refused, requeue);
    let (old, new) = (refused.advice().unwrap(), requeued.advice().unwrap());
    assert_eq!((old.id, &old.body), (new.id, &new.body));
    assert_eq!((old.attempts, &old.log), (new.attempts, &new.log));
    assert!(new.is_pending() && requeued.advice_number.is_none());
    let told = &requeued.interventions[0];
    assert_eq!(told.operator, "A. Adams");
    assert_eq!(told.measure, Measure::Requeued);
    assert_eq!(told.advice_id, Some(old.id));
    assert_eq!(told.refused.as_ref(), old.log.last());
}

/// A copy of what was refused for the time being may be on its way still.
#[test]
fn only_what_was_refused_for_good_has_surely_not_arrived() {
    let pending = transactions("reversing").remove(0);
    let of = |transaction: Transaction| transaction.advice().unwrap().possibly_sent;
    let refused = attempt(AttemptOutcome::Refused);
    assert!(!of(after(
        &pending,
        Event::Settled(refused.clone(), Settlement::Rejected)
    )));
    assert!(of(after(&pending, Event::Attempted(refused))));
    let not_sent = attempt(AttemptOutcome::NotSent);
    assert!(!of(after(&pending, Event::Attempted(not_sent))));
}

#[test]
fn what_is_reissued_names_what_it_replaces_and_carries_what_was_corrected() {
    let refused = transactions("confirmation settled").remove(3);
    let reissued = |correction: Correction| {
        let remedy = Remedy::Reissue(draft(), correction);
        refused.after(Event::Remedied(remedy, signature()))
    };
    let part = Money::zar(50_000);
    let corrected = Correction::builder()
        .amount(part.clone())
        .third_party_identifiers(identifiers(STRANGE))
        .build();
    let next = reissued(corrected).unwrap().unwrap();
    let (old, new) = (refused.advice().unwrap(), next.advice().unwrap());
    assert_eq!(new.replaces, Some(old.id));
    assert_ne!(new.id, old.id);
    assert_eq!(new.amount, Some(part));
    assert!(new.body.contains(STRANGE) && new.body.contains("50000"));
    assert_eq!((new.attempts, new.possibly_sent), (0, false));
    // What is corrected once stays so in the next one.
    let refused_again = after(&next, settled(Settlement::Rejected));
    let remedy = Remedy::Reissue(draft(), Correction::default());
    let third = after(&refused_again, Event::Remedied(remedy, signature()));
    assert!(third.advice().unwrap().body.contains(STRANGE));
    assert!(third.advice().unwrap().body.contains("50000"));

    let too_much = Correction::builder().amount(Money::zar(80_000)).build();
    assert_eq!(in_words(reissued(too_much)), "!NotApproved");
    let reason = Correction::builder()
        .reason(ReversalReason::Timeout)
        .build();
    assert_eq!(in_words(reissued(reason)), "!NoSuchPart");

    let refused = transactions("reversal settled").remove(3);
    let correction = Correction::builder()
        .reason(ReversalReason::Timeout)
        .build();
    let remedy = Remedy::Reissue(draft(), correction);
    let next = after(&refused, Event::Remedied(remedy, signature()));
    assert_eq!(next.advice().unwrap().reason, Some(ReversalReason::Timeout));
    assert!(next.advice().unwrap().body.contains("TIMEOUT"));
}

#[test]
fn the_newest_interventions_are_remembered() {
    let mut refused = transactions("reversal settled").remove(3);
    for round in 0..12 {
        let [requeue, _, _] = remedies();
        let pending = after(&refused, requeue);
        assert_eq!(pending.interventions.len(), (round + 1).min(8));
        refused = after(&pending, settled(Settlement::Rejected));
    }
}

fn unknown() -> Event {
    Event::Unknown(draft(), ReversalReason::Timeout)
}

fn reverse() -> Event {
    Event::Reverse(draft(), ReversalReason::Cancelled)
}

fn attempted() -> Event {
    Event::Attempted(attempt(AttemptOutcome::Unknown))
}

fn settled(settlement: Settlement) -> Event {
    Event::Settled(attempt(AttemptOutcome::Accepted), settlement)
}

#[test]
fn every_pair_of_state_and_event_has_the_outcome_of_the_table() {
    for (row, expected) in TABLE {
        for transaction in transactions(row) {
            for (event, expected) in events().into_iter().zip(expected) {
                let found = in_words(transaction.after(event.clone()));
                assert_eq!(found, expected, "{row} by {event:?}");
            }
        }
    }
}

#[test]
fn a_request_whose_answer_may_be_lost_takes_any_decision_of_a_person() {
    let doubted = |operation| after(&sent(operation), Event::Doubted);
    let cancellation = doubted(Operation::CancelOrder);
    for (transaction, event, expected) in [
        (
            doubted(Operation::CreateOrder),
            Event::Confirm(draft(), None),
            "Confirming",
        ),
        (
            doubted(Operation::RedeemOrder),
            Event::Confirm(draft(), None),
            "Confirming",
        ),
        (doubted(Operation::CreateOrder), reverse(), "Reversing"),
        (
            doubted(Operation::CreateOrder),
            Event::Complete,
            "!StillUnderWay",
        ),
        (
            cancellation.clone(),
            Event::Confirm(draft(), None),
            "!NoSuchAdvice",
        ),
        (cancellation, Event::Complete, "Completed"),
        (
            doubted(Operation::CreateOrder),
            Event::Expired(draft()),
            "=",
        ),
    ] {
        let found = in_words(transaction.after(event.clone()));
        assert_eq!(found, expected, "{event:?}");
    }
}

fn in_words(outcome: Result<Option<Transaction>, Conflict>) -> String {
    match outcome {
        Ok(None) => "=".to_owned(),
        Ok(Some(next)) => state_name(&next).to_owned(),
        Err(conflict) => format!("!{conflict:?}"),
    }
}

fn state_name(transaction: &Transaction) -> &'static str {
    match &transaction.state {
        State::Sent => "Sent",
        State::NotSent => "NotSent",
        State::Declined => "Declined",
        State::Duplicate => "Duplicate",
        State::Approved => "Approved",
        State::Completed => "Completed",
        State::Confirming(_) => "Confirming",
        State::Reversing(_) => "Reversing",
    }
}

#[test]
fn a_transaction_is_final_when_nothing_is_left_to_do_or_to_look_after() {
    let is_final = |row: &str| -> Vec<bool> {
        let transactions = transactions(row);
        transactions.iter().map(Transaction::is_final).collect()
    };
    for open in [
        "sent",
        "duplicate",
        "approved",
        "confirming",
        "reversing the unknown",
    ] {
        assert_eq!(is_final(open), [false], "{open}");
    }
    for done in ["not sent", "declined", "completed"] {
        assert_eq!(is_final(done), [true], "{done}");
    }
    // A rejected advice needs a person.
    for settled in ["confirmation settled", "reversal settled"] {
        assert_eq!(
            is_final(settled),
            [true, true, true, false, false, true],
            "{settled}"
        );
    }
}

/// Everything that holds between one step of a life and the next.
fn check_step(before: &Transaction, now: &Transaction) {
    assert_eq!(before.request_id, now.request_id);
    assert_eq!(before.operation, now.operation);
    assert_eq!(before.version + 1, now.version);
    assert!(!before.is_final(), "what is final changed: {before:?}");
    if let Some(old) = before.advice() {
        let new = now.advice().expect("a decision is never taken back");
        assert_eq!(state_name(before), state_name(now));
        if !old.is_pending() {
            check_remedy(old, new);
            return check_receipt(now);
        }
        assert_eq!(
            (old.id, old.operation, &old.body),
            (new.id, new.operation, &new.body)
        );
        assert_eq!(old.created_at, new.created_at);
        assert_eq!(new.attempts, old.attempts + 1);
        assert!(new.log.len() <= 16, "the log grows without a bound");
        assert!(new.possibly_sent || !old.possibly_sent);
    }
    check_receipt(now);
}

/// A settled advice changes by a person's word alone, and only if the upstream refused it.
fn check_remedy(old: &Advice, new: &Advice) {
    let end = old.settlement.expect("it is settled");
    assert!(end.is_refusal(), "a settled advice changed: {old:?}");
    match (new.replaces == Some(old.id), new.settlement) {
        (true, None) => assert_eq!(new.attempts, 0),
        (false, None | Some(Settlement::Abandoned)) => {
            assert_eq!((old.id, &old.body), (new.id, &new.body));
            assert_eq!(old.attempts, new.attempts);
        }
        _ => panic!("{old:?} became {new:?}"),
    }
}

fn check_receipt(transaction: &Transaction) {
    if transaction.is_final() {
        assert_eq!(transaction.receipt, Receipt::default());
    }
    let stored = serde_json::to_string(transaction).expect("it can be stored");
    assert!(!stored.contains("12345678901234567890"), "{stored}");
}

/// The transaction as the next process finds it.
fn restarted(transaction: &Transaction) -> Transaction {
    let stored = serde_json::to_vec(transaction).expect("it can be stored");
    let read: Transaction = serde_json::from_slice(&stored).expect("it can be read");
    let again = serde_json::to_vec(&read).expect("it can be stored");
    assert_eq!(stored, again, "a restart changes what is stored");
    read
}

fn random_event(random: &mut fastrand::Rng) -> Event {
    let events = events();
    let mut event = events[random.usize(..events.len())].clone();
    if let Event::Settled(_, settlement) = &mut event {
        // The last one is a person's word.
        *settlement = SETTLEMENTS[random.usize(..SETTLEMENTS.len() - 1)];
    }
    event
}

#[test]
fn no_life_of_a_transaction_goes_both_ways_or_changes_an_advice() {
    const REQUESTS: [Operation; 3] = [
        Operation::CreateOrder,
        Operation::RedeemOrder,
        Operation::CancelOrder,
    ];
    let mut ends = std::collections::BTreeMap::<_, usize>::new();
    for seed in 0..4_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut now = sent(REQUESTS[random.usize(..REQUESTS.len())]);
        let mut directions = std::collections::BTreeSet::new();
        for _ in 0..random.usize(1..60) {
            let before = now;
            now = match before.after(random_event(&mut random)) {
                Ok(Some(next)) => {
                    check_step(&before, &next);
                    restarted(&next)
                }
                Ok(None) | Err(_) => before,
            };
            directions.extend(now.advice().map(|_| state_name(&now)));
        }
        assert!(directions.len() <= 1, "seed {seed} went both ways");
        *ends.entry(state_name(&now)).or_default() += 1;
    }
    // The walks reach every state, or they would prove nothing.
    assert_eq!(ends.len(), 8, "{ends:?}");
}

/// Identifiers as no program of ours would write them.
const STRANGE: &str = r#"[ {"institutionId":"1","transactionIdentifier":"é \u00e9","later":1e400,
  "number":123456789012345678901234567890.10,"nothing":null,"nested":{"b":[1,2],"a":{}}} , null, 7 ]"#;

fn body_after(transaction: &Transaction, event: Event) -> String {
    let decided = after(&restarted(transaction), event);
    let stored = restarted(&decided);
    stored
        .advice()
        .expect("there is a decision")
        .body
        .to_string()
}

#[test]
fn an_advice_carries_the_identifiers_of_the_response_to_the_byte() {
    let Event::Approved {
        approval, receipt, ..
    } = approved()
    else {
        unreachable!();
    };
    let event = Event::Approved {
        approval,
        receipt,
        identifiers: Some(identifiers(STRANGE)),
    };
    let order = after(&sent(Operation::CreateOrder), event);
    for decision in [Event::Confirm(draft(), None), reverse()] {
        let body = body_after(&order, decision);
        let carried = format!(r#""thirdPartyIdentifiers":{STRANGE}"#);
        assert!(body.contains(&carried), "{body}");
    }
}

#[test]
fn without_identifiers_of_a_response_an_advice_carries_those_of_the_request() {
    let mut order = sent(Operation::CreateOrder);
    order.identifiers = identifiers(STRANGE);
    let carried = format!(r#""thirdPartyIdentifiers":{STRANGE}"#);
    assert!(body_after(&order, unknown()).contains(&carried));
    let approved = after(&order, approved());
    assert!(body_after(&approved, Event::Confirm(draft(), None)).contains(&carried));
}

#[test]
fn an_advice_holds_what_the_interface_names_and_nothing_else() {
    let order = after(&sent(Operation::CreateOrder), approved());
    let names = |body: String| -> Vec<String> {
        let body: serde_json::Map<_, _> = serde_json::from_str(&body).expect("it is an object");
        body.keys().cloned().collect()
    };
    let confirmation = names(body_after(&order, Event::Confirm(draft(), None)));
    assert_eq!(
        confirmation,
        ["id", "requestId", "thirdPartyIdentifiers", "time"]
    );
    let reversal = names(body_after(&order, reverse()));
    assert_eq!(
        reversal,
        [
            "id",
            "requestId",
            "reversalReason",
            "thirdPartyIdentifiers",
            "time"
        ]
    );
}

#[test]
fn each_request_is_settled_by_its_own_advices() {
    use Operation as O;
    let settled_by = |operation, decision| {
        let approved = after(&sent(operation), approved());
        let next = approved.after(decision).ok().flatten()?;
        next.advice().map(|advice| advice.operation)
    };
    for (request, confirmed_by, reversed_by) in [
        (O::CreateOrder, Some(O::ConfirmPayment), O::ReversePayment),
        (O::RedeemOrder, Some(O::ConfirmRedeem), O::ReverseRedeem),
        (O::CancelOrder, None, O::CancelOrderReversal),
    ] {
        assert_eq!(
            settled_by(request, Event::Confirm(draft(), None)),
            confirmed_by
        );
        assert_eq!(settled_by(request, reverse()), Some(reversed_by));
    }
}
