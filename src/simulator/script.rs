//! Which message meets which fault.

use super::faults::Fault;
use crate::model::Operation;

/// A rule of the script: which messages meet a fault, and which fault.
///
/// # Example
/// ```
/// use money_transfer_retailer::simulator::{Fault, Operation, Rule};
///
/// let lose_the_next = Rule::on(Operation::CreateOrder).next(1).fault(Fault::LoseAnswer);
/// let flaky = Rule::any().probability(0.1).fault(Fault::status(500));
/// let same: Rule = "create-order:1:lose-answer".parse()?;
/// assert_eq!(lose_the_next, same);
/// # Ok::<(), money_transfer_retailer::simulator::RuleError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    operation: Option<Operation>,
    request_id: Option<String>,
    when: When,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    Always,
    Nth(u64),
    Next(u64),
    Probability(f64),
}

/// A rule that still lacks its fault.
#[derive(Clone, Debug)]
#[must_use = "a rule needs its fault"]
pub struct RuleDraft {
    operation: Option<Operation>,
    request_id: Option<String>,
    when: When,
}

impl Rule {
    /// For messages of one operation.
    pub fn on(operation: Operation) -> RuleDraft {
        RuleDraft {
            operation: Some(operation),
            ..Rule::any()
        }
    }

    /// For messages of any operation.
    pub fn any() -> RuleDraft {
        RuleDraft {
            operation: None,
            request_id: None,
            when: When::Always,
        }
    }
}

impl RuleDraft {
    /// Only messages about the financial request with this id.
    pub fn request(mut self, request_id: impl ToString) -> Self {
        self.request_id = Some(request_id.to_string());
        self
    }

    /// Every message from now on, until the faults are cleared. This is so unless another choice is made.
    pub fn always(mut self) -> Self {
        self.when = When::Always;
        self
    }

    /// The n-th message from now on (1 is the next one), and no other. If an older rule decides that one, this rule
    /// is over without effect.
    pub fn nth(mut self, n: u64) -> Self {
        self.when = When::Nth(n);
        self
    }

    /// The next k messages that no older rule decides: two rules for the next message are for one each, in turn.
    pub fn next(mut self, k: u64) -> Self {
        self.when = When::Next(k);
        self
    }

    /// Each message with this probability (0 to 1), drawn from the simulator's seed.
    pub fn probability(mut self, p: f64) -> Self {
        self.when = When::Probability(p);
        self
    }

    /// The fault that these messages meet.
    #[must_use]
    pub fn fault(self, fault: impl Into<Fault>) -> Rule {
        Rule {
            operation: self.operation,
            request_id: self.request_id,
            when: self.when,
            fault: fault.into(),
        }
    }
}

/// The rules in force, oldest first. The first one that applies decides.
#[derive(Default)]
pub(super) struct Script {
    rules: Vec<(Rule, u64)>,
}

impl Script {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push((rule, 0));
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that this message meets.
    pub(super) fn choose(
        &mut self,
        operation: Operation,
        request_id: Option<&str>,
        random: &mut fastrand::Rng,
    ) -> Option<Fault> {
        let mut chosen = None;
        for (rule, counted) in &mut self.rules {
            if !rule.fits(operation, request_id) || (chosen.is_some() && !rule.when.counts_all()) {
                continue;
            }
            *counted += 1;
            if chosen.is_none() && rule.when.applies(*counted, random) {
                chosen = Some(rule.fault.clone());
            }
        }
        self.rules
            .retain(|(rule, counted)| !rule.when.is_over(*counted));
        chosen
    }
}

impl Rule {
    fn fits(&self, operation: Operation, request_id: Option<&str>) -> bool {
        let wanted = self.request_id.as_deref();
        self.operation.is_none_or(|wanted| wanted == operation)
            && wanted.is_none_or(|id| Some(id) == request_id)
    }
}

impl When {
    fn applies(self, counted: u64, random: &mut fastrand::Rng) -> bool {
        match self {
            When::Always => true,
            When::Nth(n) => counted == n,
            When::Next(k) => counted <= k,
            When::Probability(p) => random.f64() < p,
        }
    }

    /// Whether messages that an older rule decides count too. They do not for `Next`, so that two rules for the next
    /// message are for one message each, in turn.
    fn counts_all(self) -> bool {
        matches!(self, When::Nth(_))
    }

    fn is_over(self, counted: u64) -> bool {
        match self {
            When::Always | When::Probability(_) => false,
            When::Nth(n) | When::Next(n) => counted >= n,
        }
    }
}
