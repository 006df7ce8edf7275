//! Grows a [`tree`](crate::tree) from a parser's events.
//!
//! Owns the bounds on nesting, nodes and text, the expansion of aliases, and what holds for maps as such: keys are
//! text, once each, and no merge keys. The bounds count an aliased node as often as it is used, so that reading the
//! tree is bounded too.

use std::collections::HashMap;
use std::rc::Rc;

use crate::bounds::{MAX_DEPTH, MAX_NODES, MAX_TEXT};
use crate::diagnostic::DiagnosticKind;
use crate::path::{self, quoted};
use crate::report::Report;
use crate::tree::{Entry, Items, Node, Scalar, Size, Style, Value};

/// A bound was passed and reported: reading ends here.
pub(crate) struct TooMuch;

/// Where a node came from: its place and, for YAML, its anchor.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) anchor: Option<usize>,
}

/// Grows a tree from a stream of scalars, openings and closings. Uses no stack but its own.
pub(crate) struct Builder<'r, 't> {
    pub(crate) report: &'r mut Report<'t>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    nodes: usize,
    text: usize,
}

struct Open {
    origin: Origin,
    size: Size,
    kind: Kind,
}

enum Kind {
    List(Vec<Rc<Node>>),
    Map { entries: Vec<Entry>, first_use: HashMap<String, usize>, key: Option<Key>, whole: bool },
}

enum Key {
    Text {
        text: String,
        start: usize,
    },
    /// A refused one: its value is dropped.
    Refused,
}

impl<'r, 't> Builder<'r, 't> {
    pub(crate) fn new(report: &'r mut Report<'t>) -> Self {
        Self { report, open: Vec::new(), anchors: HashMap::new(), root: None, nodes: 0, text: 0 }
    }

    pub(crate) fn scalar(&mut self, mut origin: Origin, text: &str, style: Style) -> Result<(), TooMuch> {
        let size = Size { nodes: 1, text: text.len(), height: 0 };
        self.count(size, origin.start)?;
        if origin.start == origin.end {
            origin = self.at_its_key(origin);
        }
        self.place(origin, size, Value::Scalar(Scalar { text: text.to_owned(), style }));
        Ok(())
    }

    pub(crate) fn open_list(&mut self, origin: Origin) -> Result<(), TooMuch> {
        self.open(origin, Kind::List(Vec::new()))
    }

    pub(crate) fn open_map(&mut self, origin: Origin) -> Result<(), TooMuch> {
        self.open(
            origin,
            Kind::Map { entries: Vec::new(), first_use: HashMap::new(), key: None, whole: true },
        )
    }

    /// Ends the innermost list or map.
    pub(crate) fn close(&mut self, end: usize) {
        self.close_as(end, true);
    }

    /// The node of that anchor again.
    pub(crate) fn alias(&mut self, origin: Origin, anchor: usize) -> Result<(), TooMuch> {
        let Some(node) = self.anchors.get(&anchor).map(Rc::clone) else {
            let message = "this alias stands inside what it stands for: write that part out";
            self.report.add(DiagnosticKind::Value, &self.path(), origin.start, message);
            return self.broken(origin);
        };
        if self.open.len() + node.size.height > MAX_DEPTH {
            return self.too_deep(origin.start);
        }
        self.count(node.size, origin.start)?;
        self.put(node);
        Ok(())
    }

    /// A node that was reported by the caller.
    pub(crate) fn broken(&mut self, origin: Origin) -> Result<(), TooMuch> {
        let size = Size { nodes: 1, text: 0, height: 0 };
        self.count(size, origin.start)?;
        self.place(origin, size, Value::Broken);
        Ok(())
    }

    /// Where the next node will stand.
    pub(crate) fn path(&self) -> String {
        let mut place = String::new();
        for open in &self.open {
            match &open.kind {
                Kind::List(items) => path::push_index(&mut place, items.len()),
                Kind::Map { key: Some(Key::Text { text, .. }), .. } => path::push_key(&mut place, text),
                Kind::Map { .. } => {}
            }
        }
        place
    }

    /// Too many lists and maps inside one another.
    pub(crate) fn too_deep<T>(&mut self, start: usize) -> Result<T, TooMuch> {
        self.stop(start, format!("lists and maps are nested more than {MAX_DEPTH} deep: flatten them"))
    }

    /// The tree; when the text broke off, what was whole until there.
    pub(crate) fn finish(mut self, end: usize) -> Option<Rc<Node>> {
        while !self.open.is_empty() {
            self.close_as(end, false);
        }
        self.root
    }

    fn open(&mut self, origin: Origin, kind: Kind) -> Result<(), TooMuch> {
        if self.open.len() >= MAX_DEPTH {
            return self.too_deep(origin.start);
        }
        let size = Size { nodes: 1, text: 0, height: 1 };
        self.count(size, origin.start)?;
        self.open.push(Open { origin, size, kind });
        Ok(())
    }

    fn close_as(&mut self, end: usize, complete: bool) {
        let Some(Open { mut origin, size, kind }) = self.open.pop() else { return };
        origin.end = end;
        let value = match kind {
            Kind::List(items) => Value::List(Items { items, whole: complete }),
            Kind::Map { entries, whole, .. } => {
                Value::Map(Items { items: entries, whole: whole && complete })
            }
        };
        self.place(origin, size, value);
    }

    fn place(&mut self, origin: Origin, size: Size, value: Value) {
        let Origin { start, end, anchor } = origin;
        let node = Rc::new(Node { start, end, value, size });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.put(node);
    }

    fn put(&mut self, node: Rc<Node>) {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        open.size.nodes += node.size.nodes;
        open.size.text += node.size.text;
        open.size.height = open.size.height.max(node.size.height + 1);
        match &mut open.kind {
            Kind::List(items) => items.push(node),
            Kind::Map { entries, key, .. } => match key.take() {
                None => self.put_key(&node),
                Some(Key::Refused) => {}
                Some(Key::Text { text, start }) => {
                    entries.push(Entry { key: text, key_start: start, value: node });
                }
            },
        }
    }

    fn put_key(&mut self, node: &Node) {
        let checked = self.check_key(node);
        if let Err(Some((kind, message))) = &checked {
            let path = match &node.value {
                Value::Scalar(scalar) if node.start < node.end => path::with_key(&self.path(), &scalar.text),
                _ => self.path(),
            };
            self.report.add(*kind, &path, node.start, message.as_str());
        }
        if let Some(Open { kind: Kind::Map { key, .. }, .. }) = self.open.last_mut() {
            *key = Some(checked.map_or(Key::Refused, |text| Key::Text { text, start: node.start }));
        }
    }

    /// The key's text, or why it is none; `Err(None)` when that was told before.
    fn check_key(&mut self, node: &Node) -> Result<String, Option<(DiagnosticKind, String)>> {
        let Some(Open { kind: Kind::Map { first_use, whole, .. }, .. }) = self.open.last_mut() else {
            return Err(None);
        };
        let scalar = match &node.value {
            Value::Scalar(scalar) => scalar,
            Value::Broken => return Err(None),
            _ => {
                return Err(Some((
                    DiagnosticKind::Type,
                    "a list or a map cannot be a key: keys are text".into(),
                )));
            }
        };
        if scalar.style == Style::Plain && scalar.text == "<<" {
            *whole = false;
            let message = "merge keys (`<<`) are not supported: write the keys out";
            return Err(Some((DiagnosticKind::Unsupported, message.into())));
        }
        if scalar.text.is_empty() || node.start == node.end {
            return Err(Some((DiagnosticKind::Value, "a key is empty: name it or remove it".into())));
        }
        if let Some(&first) = first_use.get(&scalar.text) {
            let (line, key) = (self.report.lines.line(first), quoted(&scalar.text));
            let message = format!("the key {key} is here again, first on line {line}: keep one of them");
            return Err(Some((DiagnosticKind::Duplicate, message)));
        }
        first_use.insert(scalar.text.clone(), node.start);
        Ok(scalar.text.clone())
    }

    /// An empty value is shown at its key: the parser places it wherever the next thing begins.
    fn at_its_key(&self, origin: Origin) -> Origin {
        match self.open.last().map(|open| &open.kind) {
            Some(Kind::Map { key: Some(Key::Text { start, .. }), .. }) => {
                Origin { start: *start, end: *start, anchor: origin.anchor }
            }
            _ => origin,
        }
    }

    fn count(&mut self, size: Size, start: usize) -> Result<(), TooMuch> {
        self.nodes += size.nodes;
        self.text += size.text;
        if self.nodes > MAX_NODES {
            return self
                .stop(start, format!("there are more than {MAX_NODES} values, aliases expanded: split it"));
        }
        if self.text > MAX_TEXT {
            return self
                .stop(start, format!("there are more than {MAX_TEXT} bytes of text, aliases expanded"));
        }
        Ok(())
    }

    fn stop<T>(&mut self, start: usize, message: String) -> Result<T, TooMuch> {
        self.report.add(DiagnosticKind::Limit, &self.path(), start, message);
        Err(TooMuch)
    }
}
