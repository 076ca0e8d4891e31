//! Who the till is to the upstream.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::model::Sensitive;

/// The HTTP Basic user name and password that every call carries.
///
/// The password is masked in `Debug`, wiped from memory when dropped, and written nowhere.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    password: Sensitive,
}

impl Credentials {
    /// Makes credentials of a user name and a password.
    ///
    /// ```
    /// use money_transfer_retailer::Credentials;
    ///
    /// let credentials = Credentials::new("1234", "secret");
    /// assert!(!format!("{credentials:?}").contains("secret"));
    /// ```
    pub fn new(user: impl Into<String>, password: impl Into<Sensitive>) -> Self {
        Credentials {
            user: user.into(),
            password: password.into(),
        }
    }

    /// The user name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password, for the one header that needs it.
    pub(crate) fn password(&self) -> &str {
        self.password.expose()
    }
}

/// The credentials in force, which can be replaced while calls are made.
#[derive(Debug)]
pub(crate) struct CurrentCredentials(RwLock<Credentials>);

impl CurrentCredentials {
    pub(crate) fn new(credentials: Credentials) -> CurrentCredentials {
        CurrentCredentials(RwLock::new(credentials))
    }

    pub(crate) fn get(&self) -> Credentials {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// Says whether they were replaced: only another password is the same user's.
    pub(crate) fn replace(&self, credentials: Credentials) -> bool {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_same_user = current.user == credentials.user;
        if is_same_user {
            *current = credentials;
        }
        is_same_user
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("password", &self.password)
            .finish()
    }
}
