//! Parameters of a query, as names and values.

use std::fmt::Display;

use super::sensitive::Sensitive;

/// Collects the parameters that are given. All values are masked and wiped, as some of them are identity numbers and
/// nobody downstream should have to know which.
#[derive(Default)]
pub(super) struct Pairs(Vec<(&'static str, Sensitive)>);

impl Pairs {
    pub(super) fn text(&mut self, name: &'static str, value: Option<&impl Display>) {
        self.0
            .extend(value.map(|value| (name, value.to_string().into())));
    }

    /// The only way for a masked text into a query.
    pub(super) fn secret(&mut self, name: &'static str, value: Option<&Sensitive>) {
        self.0.extend(value.map(|value| (name, value.clone())));
    }

    pub(super) fn done(self) -> Vec<(&'static str, Sensitive)> {
        self.0
    }
}
