//! What an image asks of a node: a tree over requirements, as its user wrote it.
//!
//! Only what is asked. How it is matched against what a node offers is `needs`'.

use std::fmt;

/// What an image asks of a node: a tree over requirements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Every one of them; empty = nothing is needed.
    All(Vec<Need>),
    /// One of them, the first that can be had; empty = what no node can give.
    Any(Vec<Need>),
    /// The node does not have this. Looks at what is there, in use or not, and takes nothing.
    Not(Box<Need>),
    /// The node has, and can spare, this.
    Has(Requirement),
}

impl Need {
    /// The need that every node satisfies.
    pub const fn nothing() -> Self {
        Self::All(Vec::new())
    }
}

/// One capability by name, what must be known of it, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Requirement {
    /// The capability's name.
    pub name: String,
    /// Its type, where the blueprint names one.
    pub kind: Option<String>,
    /// What its properties must be, all of them on the same unit.
    pub tests: Vec<(Prop, Test)>,
    /// What of it is used up while the instance lives.
    pub take: Take,
}

impl Requirement {
    /// One unit of the capability of that name, whatever it is like.
    pub fn named(name: &str) -> Self {
        Self { name: name.into(), kind: None, tests: Vec::new(), take: Take::One }
    }
}

/// A property's name. What comes in amounts has the property `size`, all there is of it, where it tells no other.
pub type Prop = String;

/// What a property must be. A property that is not there is nothing at all, not even different from something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// It compares so with the value. Only numbers are less or more.
    Compares(Comparison, Literal),
    /// It is a number from the first to the second, both included.
    Between(Literal, Literal),
    /// It equals one of them.
    OneOf(Vec<Literal>),
    /// It is a text of this shape: `*` is any characters, `?` is one.
    Matches(String),
    /// It is a version that compares so with every one of these versions.
    Version(Vec<(Comparison, String)>),
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// As it is written in a version test.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Different => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
        }
    }
}

/// A value to compare with. The property that it meets decides what it is: a text, a truth value or a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Literal {
    /// As it was written.
    pub text: String,
    /// What it is as a number, in the base unit of the property.
    pub number: Option<i64>,
}

/// What of a capability an instance uses up. Whether one can be shared is the capability's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Take {
    /// One unit: nothing of a shared one, all of an exclusive one.
    One,
    /// So much of an amount, in its base unit (bytes, millicores).
    Amount(u64),
}

/// `>= 2.4, < 3`, `1920 or more`: completes "… is wanted".
impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compares(Comparison::Equal, value) => value.fmt(f),
            Self::Compares(Comparison::Different, value) => write!(f, "anything but {value}"),
            Self::Compares(Comparison::Less, value) => write!(f, "less than {value}"),
            Self::Compares(Comparison::AtMost, value) => write!(f, "{value} or less"),
            Self::Compares(Comparison::More, value) => write!(f, "more than {value}"),
            Self::Compares(Comparison::AtLeast, value) => write!(f, "{value} or more"),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
            Self::OneOf(values) => listed(f, values, " or "),
            Self::Matches(pattern) => write!(f, "something like {pattern}"),
            Self::Version(bounds) => {
                let bounds: Vec<String> =
                    bounds.iter().map(|(how, version)| format!("{} {version}", how.as_str())).collect();
                listed(f, &bounds, ", ")
            }
        }
    }
}

fn listed(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display], between: &str) -> fmt::Result {
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            f.write_str(between)?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
