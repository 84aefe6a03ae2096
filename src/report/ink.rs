//! Colour with meaning for the terminal, or none.

/// Whether what is written may be coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ink {
    pub colour: bool,
}

impl Ink {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What is less important.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Down.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Up, over.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Recovering, doubtful.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }
}
