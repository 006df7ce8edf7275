//! The written form of needs.
//!
//! What asks for more than a name, a type and an amount is written under words that an older reader does not know, so
//! that it refuses the record instead of running an image without what it asks for.

use motey_core::spec::{Comparison, Literal, Need, Requirement, Take, Test};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NeedForm {
    All(Vec<NeedForm>),
    Any(Vec<NeedForm>),
    Not(Box<NeedForm>),
    Has(RequirementForm),
    /// A requirement with tests.
    HasWhere(RequirementForm, Vec<TestedForm>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct RequirementForm {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    take: TakeForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TakeForm {
    One,
    Amount(u64),
}

#[derive(Serialize, Deserialize)]
pub(super) struct TestedForm {
    prop: String,
    test: TestForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TestForm {
    Compares(ComparisonForm, LiteralForm),
    Between(LiteralForm, LiteralForm),
    OneOf(Vec<LiteralForm>),
    Matches(String),
    Version(Vec<(ComparisonForm, String)>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ComparisonForm {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Serialize, Deserialize)]
struct LiteralForm {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
}

impl NeedForm {
    /// `None` when it is nested deeper than `levels`.
    pub(super) fn new(need: Need, levels: usize) -> Option<Self> {
        let below = levels.checked_sub(1)?;
        let each = |needs: Vec<Need>| {
            needs.into_iter().map(|need| Self::new(need, below)).collect::<Option<Vec<_>>>()
        };
        Some(match need {
            Need::All(needs) => Self::All(each(needs)?),
            Need::Any(needs) => Self::Any(each(needs)?),
            Need::Not(need) => Self::Not(Box::new(Self::new(*need, below)?)),
            Need::Has(Requirement { name, kind, tests, take }) => {
                let form = RequirementForm { name, kind, take: take.into() };
                match tests.is_empty() {
                    true => Self::Has(form),
                    false => Self::HasWhere(form, tests.into_iter().map(Into::into).collect()),
                }
            }
        })
    }
}

impl From<NeedForm> for Need {
    fn from(form: NeedForm) -> Self {
        let has = |RequirementForm { name, kind, take }, tests| {
            Self::Has(Requirement { name, kind, tests, take: Take::from(take) })
        };
        match form {
            NeedForm::All(needs) => Self::All(needs.into_iter().map(Self::from).collect()),
            NeedForm::Any(needs) => Self::Any(needs.into_iter().map(Self::from).collect()),
            NeedForm::Not(need) => Self::Not(Box::new(Self::from(*need))),
            NeedForm::Has(form) => has(form, Vec::new()),
            NeedForm::HasWhere(form, tests) => has(form, tests.into_iter().map(Into::into).collect()),
        }
    }
}

impl From<Take> for TakeForm {
    fn from(take: Take) -> Self {
        match take {
            Take::One => Self::One,
            Take::Amount(amount) => Self::Amount(amount),
        }
    }
}

impl From<TakeForm> for Take {
    fn from(form: TakeForm) -> Self {
        match form {
            TakeForm::One => Self::One,
            TakeForm::Amount(amount) => Self::Amount(amount),
        }
    }
}

impl From<(String, Test)> for TestedForm {
    fn from((prop, test): (String, Test)) -> Self {
        Self { prop, test: test.into() }
    }
}

impl From<TestedForm> for (String, Test) {
    fn from(TestedForm { prop, test }: TestedForm) -> Self {
        (prop, test.into())
    }
}

impl From<Test> for TestForm {
    fn from(test: Test) -> Self {
        match test {
            Test::Compares(how, value) => Self::Compares(how.into(), value.into()),
            Test::Between(least, most) => Self::Between(least.into(), most.into()),
            Test::OneOf(values) => Self::OneOf(values.into_iter().map(Into::into).collect()),
            Test::Matches(shape) => Self::Matches(shape),
            Test::Version(bounds) => {
                Self::Version(bounds.into_iter().map(|(how, version)| (how.into(), version)).collect())
            }
        }
    }
}

impl From<TestForm> for Test {
    fn from(form: TestForm) -> Self {
        match form {
            TestForm::Compares(how, value) => Self::Compares(how.into(), value.into()),
            TestForm::Between(least, most) => Self::Between(least.into(), most.into()),
            TestForm::OneOf(values) => Self::OneOf(values.into_iter().map(Into::into).collect()),
            TestForm::Matches(shape) => Self::Matches(shape),
            TestForm::Version(bounds) => {
                Self::Version(bounds.into_iter().map(|(how, version)| (how.into(), version)).collect())
            }
        }
    }
}

impl From<Comparison> for ComparisonForm {
    fn from(how: Comparison) -> Self {
        match how {
            Comparison::Equal => Self::Eq,
            Comparison::Different => Self::Ne,
            Comparison::Less => Self::Lt,
            Comparison::AtMost => Self::Le,
            Comparison::More => Self::Gt,
            Comparison::AtLeast => Self::Ge,
        }
    }
}

impl From<ComparisonForm> for Comparison {
    fn from(form: ComparisonForm) -> Self {
        match form {
            ComparisonForm::Eq => Self::Equal,
            ComparisonForm::Ne => Self::Different,
            ComparisonForm::Lt => Self::Less,
            ComparisonForm::Le => Self::AtMost,
            ComparisonForm::Gt => Self::More,
            ComparisonForm::Ge => Self::AtLeast,
        }
    }
}

impl From<Literal> for LiteralForm {
    fn from(Literal { text, number }: Literal) -> Self {
        Self { text, number }
    }
}

impl From<LiteralForm> for Literal {
    fn from(LiteralForm { text, number }: LiteralForm) -> Self {
        Self { text, number }
    }
}
