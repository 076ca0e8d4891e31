//! Enumerations that belong to the messages rather than to one of their parts.

use super::wire_enum::wire_enum;

wire_enum! {
    /// What has become of an order (`OrderStatus` and the `status` of a lookup on the wire: the same values).
    pub enum OrderStatus {
        /// The recipient can collect it.
        Unredeemed = "UNREDEEMED",
        /// The recipient has collected it.
        Redeemed = "REDEEMED",
        /// It was cancelled or reversed.
        Cancelled = "CANCELLED",
        /// Nobody collected it in time.
        Expired = "EXPIRED",
        /// The provider holds it back.
        OnHold = "ON_HOLD",
        /// Its confirmation has not been processed yet.
        Unconfirmed = "UNCONFIRMED",
    }
}

wire_enum! {
    /// The kind of transaction for accounting (`TranType` on the wire).
    pub enum TransactionType {
        GoodsAndServices = "GOODS_AND_SERVICES",
        CashWithdrawal = "CASH_WITHDRAWAL",
        DebitAdjustment = "DEBIT_ADJUSTMENT",
        GoodsAndServicesWithCashBack = "GOODS_AND_SERVICES_WITH_CASH_BACK",
        NonCash = "NON_CASH",
        Returns = "RETURNS",
        Deposit = "DEPOSIT",
        CreditAdjustment = "CREDIT_ADJUSTMENT",
        GeneralCredit = "GENERAL_CREDIT",
        AvailableFundsInquiry = "AVAILABLE_FUNDS_INQUIRY",
        BalanceInquiry = "BALANCE_INQUIRY",
        GeneralInquiry = "GENERAL_INQUIRY",
        CardVerificationInquiry = "CARD_VERIFICATION_INQUIRY",
        CardholderAccountsTransfer = "CARDHOLDER_ACCOUNTS_TRANSFER",
        GeneralTransfer = "GENERAL_TRANSFER",
        PaymentFromAccount = "PAYMENT_FROM_ACCOUNT",
        GeneralPayment = "GENERAL_PAYMENT",
        PaymentToAccount = "PAYMENT_TO_ACCOUNT",
        PaymentFromAccountToAccount = "PAYMENT_FROM_ACCOUNT_TO_ACCOUNT",
        PlaceHoldOnCard = "PLACE_HOLD_ON_CARD",
        GeneralAdmin = "GENERAL_ADMIN",
        ChangePin = "CHANGE_PIN",
        CardHolderInquiry = "CARD_HOLDER_INQUIRY",
        PointsInquiry = "POINTS_INQUIRY",
    }
}

wire_enum! {
    /// The kind of account that money comes from or goes to (`AccountType` on the wire).
    ///
    /// Not to be confused with [`AccountKind`](super::AccountKind), which says how an account is addressed.
    pub enum AccountType {
        Default = "DEFAULT",
        Savings = "SAVINGS",
        Cheque = "CHEQUE",
        Credit = "CREDIT",
        Universal = "UNIVERSAL",
        ElectronicPurse = "ELECTRONIC_PURSE",
        GiftCard = "GIFT_CARD",
        StoredValue = "STORED_VALUE",
    }
}

wire_enum! {
    /// Why the money is sent (`PurposeOfRemittance` on the wire).
    pub enum PurposeOfRemittance {
        FamilySupport = "FAMILY_SUPPORT",
        Education = "EDUCATION",
        GiftAndDonation = "GIFT_AND_DONATION",
        MedicalTreatment = "MEDICAL_TREATMENT",
        MaintenanceExpenses = "MAINTENANCE_EXPENSES",
        Travel = "TRAVEL",
        /// A purpose that the list does not have.
        NoneOfThese = "OTHER",
    }
}

wire_enum! {
    /// What the recipient is to the sender (`Relationship` on the wire).
    pub enum Relationship {
        Parent = "PARENT",
        Child = "CHILD",
        Spouse = "SPOUSE",
        InLaws = "IN_LAWS",
        Relative = "RELATIVE",
        FriendFamily = "FRIEND_FAMILY",
        EmployeeFamily = "EMPLOYEE_FAMILY",
        Friend = "FRIEND",
        Employee = "EMPLOYEE",
        Supplier = "SUPPLIER",
        ServiceProvider = "SERVICE_PROVIDER",
        DonorReceiverOfCharitableFunds = "DONOR_RECEIVER_OF_CHARITABLE_FUNDS",
        TradeBusinessPartner = "TRADE_BUSINESS_PARTNER",
    }
}
