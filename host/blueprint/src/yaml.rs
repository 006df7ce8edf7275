//! YAML 1.2 to a tree: the events of granit-parser, one document, core tags only.

use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use crate::bounds::MAX_DEPTH;
use crate::builder::{Builder, Origin, TooMuch};
use crate::diagnostic::DiagnosticKind;
use crate::path::quoted;
use crate::report::Report;
use crate::tree::{Node, Style};

/// Reads one document. After a syntax error the part before it is returned, so that its mistakes are told too.
pub(crate) fn read<'t>(text: &'t str, report: &mut Report<'t>) -> Option<Rc<Node>> {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        // one more than the tree allows, so that the tree's own message is the usual one
        flow_nesting_limit: MAX_DEPTH + 1,
        block_nesting_limit: MAX_DEPTH + 1,
    };
    let mut reader = Reader { text, builder: Builder::new(report), documents: 0 };
    for next in Parser::new_from_str_with_options(text, options) {
        let read = match next {
            Ok((event, span)) => reader.event(event, &span),
            Err(error) => reader.syntax_error(&error),
        };
        if read.is_err() {
            break;
        }
    }
    reader.finish()
}

struct Reader<'r, 't> {
    text: &'t str,
    builder: Builder<'r, 't>,
    documents: usize,
}

impl Reader<'_, '_> {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), TooMuch> {
        let (start, end) = (self.offset(&span.start), self.offset(&span.end));
        let origin = |anchor: usize| Origin { start, end, anchor: (anchor != 0).then_some(anchor) };
        match event {
            Event::DocumentStart(..) => self.document(start),
            Event::Scalar(text, style, anchor, tag) => {
                let style = self.scalar_style(style, tag.as_deref(), span);
                self.builder.scalar(origin(anchor), &text, style)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.collection_tag("seq", tag.as_deref(), span);
                self.builder.open_list(origin(anchor))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.collection_tag("map", tag.as_deref(), span);
                self.builder.open_map(origin(anchor))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.builder.close(end);
                Ok(())
            }
            Event::Alias(anchor) => self.builder.alias(origin(0), anchor),
            Event::UnresolvedAlias(name) => {
                let message =
                    format!("no anchor `&{name}` comes before this alias: define it, or quote the text");
                self.refuse(DiagnosticKind::Unknown, start, message);
                self.builder.broken(origin(0))
            }
            _ => Ok(()),
        }
    }

    fn document(&mut self, start: usize) -> Result<(), TooMuch> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let message = "a second document starts here: a blueprint is one document, send each by itself";
        self.refuse(DiagnosticKind::Unsupported, start, message);
        Err(TooMuch)
    }

    fn scalar_style(&mut self, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Style {
        let written = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
        let Some(tag) = tag else { return written };
        match tag.core_suffix() {
            Some("str") => Style::Quoted,
            Some("int" | "float" | "bool" | "null") => Style::Plain,
            None if is_non_specific(tag) => Style::Quoted,
            _ => {
                self.foreign_tag(tag, span);
                written
            }
        }
    }

    fn collection_tag(&mut self, own: &str, tag: Option<&Tag>, span: &Span) {
        match tag {
            Some(tag) if tag.core_suffix() != Some(own) && !is_non_specific(tag) => {
                self.foreign_tag(tag, span);
            }
            _ => {}
        }
    }

    fn foreign_tag(&mut self, tag: &Tag, span: &Span) {
        let start = self.offset(&span.tag_start().unwrap_or(span.start));
        let shown = quoted(&format!("{}{}", tag.original_handle(), tag.suffix()));
        let message = format!("the tag {shown} does not fit here: a blueprint needs no tags, remove it");
        self.refuse(DiagnosticKind::Unsupported, start, message);
    }

    fn syntax_error(&mut self, error: &ScanError) -> Result<(), TooMuch> {
        let start = self.offset(error.marker());
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => return self.builder.too_deep(start),
            ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabNotAllowed => {
                let message = "not valid YAML: a tab stands where only spaces may: indent with spaces";
                self.refuse(DiagnosticKind::Syntax, self.first_tab(start), message);
            }
            kind => self.refuse(DiagnosticKind::Syntax, start, format!("not valid YAML: {kind}")),
        }
        Err(TooMuch)
    }

    fn refuse(&mut self, kind: DiagnosticKind, start: usize, message: impl Into<String>) {
        let path = self.builder.path();
        self.builder.report.add(kind, &path, start, message);
    }

    /// The parser notices a tab behind it: the first one of the white space that ends at `end`.
    fn first_tab(&self, end: usize) -> usize {
        let before = &self.text[..end];
        let white = before.trim_end_matches([' ', '\t']).len();
        before[white..].find('\t').map_or(end, |tab| white + tab)
    }

    fn offset(&self, marker: &Marker) -> usize {
        marker.byte_offset().unwrap_or(self.text.len())
    }

    fn finish(self) -> Option<Rc<Node>> {
        self.builder.finish(self.text.len())
    }
}

/// `!` alone: "as it is written".
fn is_non_specific(tag: &Tag) -> bool {
    matches!((tag.handle(), tag.suffix()), ("!", "") | ("", "!"))
}
