//! The demo as log lines: for pipes, for those who do not want a screen, and for nobody at all.

use std::io::Write;
use std::time::Duration;

use anstyle::AnsiColor;

use crate::describe;
use crate::failure::Failure;
use crate::output::{Paint, plural, shorten};

use super::picture::{Line, Picture};
use super::team::DIRECTOR;

/// How much of what was said is shown.
const LONGEST: usize = 160;

/// Who shows what is going on.
pub trait Front {
    /// Something happened.
    fn line(&mut self, picture: &Picture, line: &Line) -> Result<(), Failure>;
    /// It is over: shows how it ended, for those who look, for about this long.
    fn end(&mut self, picture: &Picture, _: Duration) -> Result<(), Failure> {
        self.draw(picture)
    }
    /// Time to show what is so now; called several times a second.
    fn draw(&mut self, _: &Picture) -> Result<(), Failure> {
        Ok(())
    }
}

/// Shows nothing.
pub struct Silent;

impl Front for Silent {
    fn line(&mut self, _: &Picture, _: &Line) -> Result<(), Failure> {
        Ok(())
    }
}

/// A line for each thing that happens.
pub struct Lines {
    paint: Paint,
    planned: bool,
}

impl Lines {
    /// To standard output.
    pub fn new() -> Lines {
        Lines { paint: Paint::stdout(), planned: false }
    }
}

impl Front for Lines {
    fn line(&mut self, picture: &Picture, line: &Line) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        if !self.planned && line.kind == "task.claimed" {
            self.planned = true;
            let tasks = plural(picture.tasks.len() as u64, "task");
            writeln!(out, "{}", self.paint.dim(&format!("        the planner has made {tasks}")))?;
        }
        let at = format!("{:>6.2}s", line.at.as_secs_f64());
        let kind = format!("{:<16}", line.kind);
        let colour = match line.who.as_str() {
            DIRECTOR => AnsiColor::Red,
            _ => describe::colour(&line.kind),
        };
        writeln!(
            out,
            "{} {} {} {}",
            self.paint.dim(&at),
            self.paint.colour(colour, &kind),
            self.paint.bold(&format!("{:<11}", line.who)),
            shorten(&line.words, LONGEST)
        )?;
        Ok(out.flush()?)
    }
}
