//! Whose queue it is: one upstream, one user, one till.
//!
//! A queue that is opened for another upstream (a test system that was switched to production), by
//! another user, or on another till (a copied image) would send decisions to where nobody knows of them.
//! It is quarantined: nothing is sent and nothing is reversed, until it is adopted.

use url::Url;
use uuid::Uuid;

use super::recovery::{RecoveryReport, unreadable};
use super::{Client, Core, OpenError};
use crate::saf::LedgerError;
use crate::saf::ledger::Note;
use crate::store::StoreError;

/// Sets these digests apart from all others.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0c_3f6e_8b1d_4d0b_9d39_5d0a_7a0e_52c1);

/// What identifies the owner of a queue, as it is stored: a digest, because a user name is a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding(Vec<u8>);

impl Binding {
    pub(super) fn new(base_url: &str, user: &str, instance: Option<&str>) -> Binding {
        let address = address(base_url);
        let parts = [address.as_str(), user, instance.unwrap_or_default()];
        // No part can be taken for the end of the one before it.
        let joined: Vec<u8> = parts
            .iter()
            .flat_map(|part| {
                (part.len() as u64)
                    .to_be_bytes()
                    .into_iter()
                    .chain(part.bytes())
            })
            .collect();
        Binding(Uuid::new_v5(&NAMESPACE, &joined).as_bytes().to_vec())
    }
}

/// The address without credentials, and written in one way.
fn address(base_url: &str) -> String {
    match Url::parse(base_url) {
        Ok(mut url) => {
            // Neither can fail for an address that a client can be opened with.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.as_str().trim_end_matches('/').to_owned()
        }
        Err(_) => base_url.to_owned(),
    }
}

impl Core {
    /// Whether the queue belongs to this client. A new queue does from now on.
    pub(super) async fn is_ours(&self, report: &RecoveryReport) -> Result<bool, OpenError> {
        match self.ledger.note(Note::Binding) {
            Ok(Some(bound)) => Ok(bound == self.binding.0),
            Ok(None) if self.is_new(report)? => self.bind().await.map(|()| true),
            Ok(None) => Ok(false),
            // Nobody knows whose it is. A till that could not be opened for it would deliver nothing, ever.
            Err(LedgerError::Store(StoreError::Damaged { .. })) => Ok(false),
            Err(error) => Err(unreadable(error)),
        }
    }

    /// Whether nothing was ever in the queue. Whose it is may be among what was lost.
    fn is_new(&self, report: &RecoveryReport) -> Result<bool, OpenError> {
        let has_lost = report.has_unknown_losses() || report.count_lost() > 0;
        Ok(!has_lost && self.ledger.is_empty().map_err(unreadable)?)
    }

    async fn bind(&self) -> Result<(), OpenError> {
        let digest = Some(self.binding.0.clone());
        let bound = self.ledger.keep_note(Note::Binding, digest).await;
        bound.map_err(unreadable)
    }
}

impl Client {
    /// Whether the queue belongs to another upstream, user or till, so that nothing is sent.
    pub fn is_quarantined(&self) -> bool {
        self.core.control.is_quarantined()
    }

    /// Takes a quarantined queue over: from now on it belongs to this client's upstream, user and
    /// instance, and everything in it is taken up as at an open. Does nothing where the queue is not
    /// quarantined.
    ///
    /// Be sure that this upstream is the one that knows the requests in the queue, and that no other
    /// till has a copy of it: a decision must be sent by one of them alone.
    ///
    /// # Errors
    /// [`OpenError::Store`] if the queue cannot be read or written. It stays quarantined then.
    pub async fn adopt(&self) -> Result<RecoveryReport, OpenError> {
        let core = &self.core;
        if !self.is_quarantined() {
            return Ok(core.report.clone());
        }
        // Counted anew, by what is done now.
        let mut report = RecoveryReport {
            findings: core.report.findings.clone(),
            ..RecoveryReport::default()
        };
        core.recover(&mut report).await?;
        // Last: what fails before leaves the queue as it was.
        core.bind().await?;
        core.control.set_quarantined(false);
        core.expiry.note_approval();
        core.schedule.release();
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(base_url: &str, user: &str, instance: Option<&str>) -> Binding {
        Binding::new(base_url, user, instance)
    }

    #[test]
    fn the_same_address_in_other_words_is_the_same_upstream() {
        let bound = binding("https://host/v2", "user", None);
        assert_eq!(binding("https://HOST:443/v2/", "user", None), bound);
        assert_eq!(binding("https://user:secret@host/v2", "user", None), bound);
    }

    #[test]
    fn another_upstream_user_or_instance_is_another_owner() {
        let bound = binding("https://host/v2", "user", Some("1"));
        assert_ne!(binding("https://host/v1", "user", Some("1")), bound);
        assert_ne!(binding("http://host/v2", "user", Some("1")), bound);
        assert_ne!(binding("https://host/v2", "other", Some("1")), bound);
        assert_ne!(binding("https://host/v2", "user", Some("2")), bound);
        assert_ne!(binding("https://host/v2", "user", None), bound);
        assert_ne!(binding("https://host/v2", "user1", Some("")), bound);
    }
}
