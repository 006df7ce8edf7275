//! Mistakes of a blueprint, shown as a compiler shows them: place, message, the line and a caret.

use crate::api::Mistake;
use crate::output::clean;

/// As much of a line as is shown, in characters.
const LINE_MOST: usize = 120;

/// `file:line:column: path: message` and below it the line, for every mistake.
pub fn render<'m>(file: &str, source: &str, mistakes: impl IntoIterator<Item = &'m Mistake>) -> String {
    let lines: Vec<&str> = source.trim_start_matches('\u{feff}').lines().collect();
    let one = |mistake: &Mistake| {
        let Mistake { path, line, column, message } = mistake;
        let path = if path.is_empty() { String::new() } else { format!("{}: ", clean(path)) };
        let line_text = line.checked_sub(1).and_then(|index| lines.get(index));
        let excerpt = line_text.map_or_else(String::new, |text| excerpt(text, *line, *column));
        format!("{file}:{line}:{column}: {path}{}\n{excerpt}", clean(message))
    };
    mistakes.into_iter().map(one).collect::<String>().trim_end().to_owned()
}

/// The line and a caret below its `column`; of a long line the part around it.
fn excerpt(text: &str, line: usize, column: usize) -> String {
    let caret = column.saturating_sub(1);
    let from = caret.saturating_sub(LINE_MOST / 2);
    // a tab is one character and one column here
    let part: String =
        text.chars().skip(from).take(LINE_MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (left, right) =
        (if from > 0 { "…" } else { "" }, if text.chars().count() > from + LINE_MOST { "…" } else { "" });
    let indent = " ".repeat(caret - from + left.chars().count());
    format!("{line:>5} | {left}{part}{right}\n      | {indent}^\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(path: &str, line: usize, column: usize, message: &str) -> Mistake {
        Mistake { path: path.into(), line, column, message: message.into() }
    }

    #[test]
    fn a_mistake_shows_its_line_with_a_caret() {
        let source = "service_name: x\nimages:\n\t- nam: ü\n";
        let mistakes = [
            mistake("images[0].nam", 3, 4, "unknown key; did you mean \"name\"?"),
            mistake("", 9, 1, "beyond the end"),
        ];
        insta::assert_snapshot!(render("x.yaml", source, &mistakes), @r#"
        x.yaml:3:4: images[0].nam: unknown key; did you mean "name"?
            3 |  - nam: ü
              |    ^
        x.yaml:9:1: beyond the end
        "#);
    }

    #[test]
    fn of_a_long_line_the_part_around_the_mistake_is_shown() {
        let source = format!("{}here{}", "a".repeat(500), "b".repeat(500));
        let shown = render("x", &source, &[mistake("", 1, 501, "m")]);
        let rows: Vec<Vec<char>> = shown.lines().map(|line| line.chars().collect()).collect();
        let caret = rows[2].iter().position(|c| *c == '^').expect("a caret");
        assert_eq!(rows[1][caret..caret + 4].iter().collect::<String>(), "here");
        assert!(rows[1].len() < 140);
    }
}
