//! Who sends and who receives the money. Nothing here is ever written to disk or to a log.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::check::{Check, EXACTLY_2, INTERNATIONAL_NUMBER, Rules};
use super::sensitive::{Sensitive, masked};
use super::timestamp::Timestamp;
use super::wire_enum::wire_enum;

/// A sender, a recipient or a customer (`PersonalDetails` on the wire). What is required depends on provider and amount.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(String, into), on(Sensitive, into))]
#[non_exhaustive]
pub struct PersonalDetails {
    /// `firstName`: first names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<Sensitive>,
    /// `lastName`: family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<Sensitive>,
    /// `address`: where the person lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// `idNumber`: number of the identity document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_number: Option<Sensitive>,
    /// `idType`: kind of the identity document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_type: Option<IdType>,
    /// `idCountryCode`: the country that issued the document, two letters (ISO 3166-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_country_code: Option<String>,
    /// `nationality`: two letters (ISO 3166-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nationality: Option<Sensitive>,
    /// `countryOfBirth`: two letters (ISO 3166-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_of_birth: Option<Sensitive>,
    /// `dateOfBirth`: as the provider wants it written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<Sensitive>,
    /// `contactNumber`: telephone, international: an optional `+`, then 2 to 15 digits that do not start with 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_number: Option<Sensitive>,
    /// `altContactWork`: telephone at work, written like `contactNumber`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_contact_work: Option<Sensitive>,
    /// `altContactHome`: telephone at home, written like `contactNumber`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alt_contact_home: Option<Sensitive>,
    /// `email`: address for electronic mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Sensitive>,
    /// `accountDetails`: the account the money comes from or goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_details: Option<Account>,
    /// `idIssuedDate`: when the identity document was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_issued_date: Option<Timestamp>,
    /// `idExpiryDate`: until when the identity document is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_expiry_date: Option<Timestamp>,
    /// `culturalName`: the name in the person's own script or custom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cultural_name: Option<Sensitive>,
    /// `sourceOfIncome`: where the money comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_of_income: Option<SourceOfIncome>,
    /// `occupation`: what the person does for a living.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occupation: Option<Occupation>,
}

/// Shows which fields are given; of their contents only the kind of document and what the person lives on.
impl fmt::Debug for PersonalDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonalDetails")
            .field("first_name", &self.first_name)
            .field("last_name", &self.last_name)
            .field("address", &self.address)
            .field("id_number", &self.id_number)
            .field("id_type", &self.id_type)
            .field("id_country_code", &masked(self.id_country_code.as_ref()))
            .field("nationality", &self.nationality)
            .field("country_of_birth", &self.country_of_birth)
            .field("date_of_birth", &self.date_of_birth)
            .field("contact_number", &self.contact_number)
            .field("alt_contact_work", &self.alt_contact_work)
            .field("alt_contact_home", &self.alt_contact_home)
            .field("email", &self.email)
            .field("account_details", &self.account_details)
            .field("id_issued_date", &masked(self.id_issued_date.as_ref()))
            .field("id_expiry_date", &masked(self.id_expiry_date.as_ref()))
            .field("cultural_name", &self.cultural_name)
            .field("source_of_income", &self.source_of_income)
            .field("occupation", &self.occupation)
            .finish()
    }
}

impl Check for PersonalDetails {
    fn inspect(&self, rules: &mut Rules) {
        rules.optional_part("address", self.address.as_ref());
        rules.optional_text(
            "idCountryCode",
            self.id_country_code.as_deref(),
            &[EXACTLY_2],
        );
        rules.optional_secret("nationality", self.nationality.as_ref(), &[EXACTLY_2]);
        rules.optional_secret(
            "countryOfBirth",
            self.country_of_birth.as_ref(),
            &[EXACTLY_2],
        );
        rules.optional_secret(
            "contactNumber",
            self.contact_number.as_ref(),
            &[INTERNATIONAL_NUMBER],
        );
        rules.optional_secret(
            "altContactWork",
            self.alt_contact_work.as_ref(),
            &[INTERNATIONAL_NUMBER],
        );
        rules.optional_secret(
            "altContactHome",
            self.alt_contact_home.as_ref(),
            &[INTERNATIONAL_NUMBER],
        );
        rules.optional_part("accountDetails", self.account_details.as_ref());
    }
}

/// Where somebody lives (`Address` on the wire).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, bon::Builder)]
#[serde(rename_all = "camelCase")]
#[builder(on(Sensitive, into))]
#[non_exhaustive]
pub struct Address {
    /// `addressLine1`: street and number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_line1: Option<Sensitive>,
    /// `addressLine2`: suburb, complex, unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_line2: Option<Sensitive>,
    /// `city`: city or town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<Sensitive>,
    /// `province`: province or state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub province: Option<Sensitive>,
    /// `country`: two letters (ISO 3166-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Sensitive>,
    /// `postCode`: postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_code: Option<Sensitive>,
}

impl Check for Address {
    fn inspect(&self, rules: &mut Rules) {
        rules.optional_secret("country", self.country.as_ref(), &[EXACTLY_2]);
    }
}

wire_enum! {
    /// The kind of identity document (`IdType` on the wire).
    pub enum IdType {
        NationalId = "NATIONAL_ID",
        Passport = "PASSPORT",
        DriversLicence = "DRIVERS_LICENCE",
        AsylumDocument = "ASYLUM_DOCUMENT",
        Unknown = "UNKNOWN",
    }
}

wire_enum! {
    /// Where somebody's money comes from (`SourceOfIncome` on the wire).
    pub enum SourceOfIncome {
        Salaried = "SALARIED",
        PersonalIncome = "PERSONAL_INCOME",
        Loan = "LOAN",
        Business = "BUSINESS",
        Savings = "SAVINGS",
        Gift = "GIFT",
        Winnings = "WINNINGS",
        SaleOfAssets = "SALE_OF_ASSETS",
        Investments = "INVESTMENTS",
        FamilyFinancialSupport = "FAMILY_FINANCIAL_SUPPORT",
        GovernmentFinancialSupport = "GOVERNMENT_FINANCIAL_SUPPORT",
        /// A source that the list does not have.
        NoneOfThese = "OTHER",
    }
}

wire_enum! {
    /// What somebody does for a living (`Occupation` on the wire).
    pub enum Occupation {
        Businessman = "BUSINESSMAN",
        Professional = "PROFESSIONAL",
        HouseWife = "HOUSE_WIFE",
        GeneralWorker = "GENERAL_WORKER",
        /// An occupation that the list does not have.
        NoneOfThese = "OTHER",
    }
}
