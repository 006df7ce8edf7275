//! A blueprint as a tree of scalars, lists and maps that know where they stand, whatever language it came from.
//!
//! Knows no key of a blueprint and resolves no scalar. Aliased nodes are shared, not copied.

use std::rc::Rc;

/// A value and its place in the text, in bytes. What an alias stands for is placed where it was written.
pub(crate) struct Node {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) value: Value,
    pub(crate) size: Size,
}

pub(crate) enum Value {
    Scalar(Scalar),
    List(Items<Rc<Node>>),
    Map(Items<Entry>),
    /// Something that was already reported; readers pass over it.
    Broken,
}

pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes, in YAML: what it is depends on its key.
    Plain,
    /// Text, beyond doubt.
    Quoted,
    /// A number, `true`, `false` or `null` of JSON: not text, beyond doubt.
    Bare,
}

pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    /// `false` when the text broke off inside: then nothing can be called missing.
    pub(crate) whole: bool,
}

pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_start: usize,
    pub(crate) value: Rc<Node>,
}

/// What a node counts for, itself and everything in it.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) text: usize,
    /// Lists and maps inside one another, itself included.
    pub(crate) height: usize,
}
