//! The demo's screen: who is present, the board, what is said and done. All of it is drawn from the picture.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ratatui::crossterm::event::{self, Event as Input, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Text, Span};
use ratatui::widgets::{Block, BorderType, Cell, Paragraph, Row, Table};
use ratatui::{DefaultTerminal, Frame};

use folkmoot::agents::Status;
use folkmoot::tasks::{Task, TaskStatus};

use super::lines::Front;
use super::picture::{Line, Member, Picture};
use super::team::{DIRECTOR, Role};
use crate::failure::Failure;
use crate::interrupt;
use crate::output::{one_line, plural, shorten, wants_colour};

/// From this many columns on there is room for all of the table.
const ROOMY: u16 = 110;

/// The whole terminal, given back when this is dropped.
pub struct Screen {
    terminal: DefaultTerminal,
    closed: Arc<AtomicBool>,
    folder: String,
    team: Vec<Role>,
    colour: bool,
}

impl Screen {
    /// Takes the terminal.
    pub fn open(folder: &Path, team: Vec<Role>) -> Result<Screen, Failure> {
        let folder = one_line(&folder.display().to_string());
        let terminal = ratatui::try_init()?;
        let closed = Arc::new(AtomicBool::new(false));
        let over = closed.clone();
        std::thread::spawn(move || read_keys(&over));
        Ok(Screen { terminal, closed, folder, team, colour: wants_colour(true) })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
        let _ = ratatui::try_restore();
    }
}

impl Front for Screen {
    fn line(&mut self, _: &Picture, _: &Line) -> Result<(), Failure> {
        Ok(())
    }

    fn draw(&mut self, picture: &Picture) -> Result<(), Failure> {
        interrupt::check()?;
        let view = View { picture, folder: &self.folder, team: &self.team, colour: self.colour };
        self.terminal.draw(|frame| view.draw(frame))?;
        Ok(())
    }

    fn end(&mut self, picture: &Picture, span: Duration) -> Result<(), Failure> {
        let start = Instant::now();
        while start.elapsed() < span && !interrupt::asked() {
            let view = View { picture, folder: &self.folder, team: &self.team, colour: self.colour };
            self.terminal.draw(|frame| view.draw(frame))?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// Waits for a key that ends it: q, Escape, Ctrl-C.
///
/// On a thread of its own: when the terminal has gone away, asking it for keys may never return.
fn read_keys(closed: &AtomicBool) {
    const LOOK: Duration = Duration::from_millis(100);
    while !closed.load(Ordering::Acquire) {
        match event::poll(LOOK) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(_) => return,
        }
        if let Ok(Input::Key(KeyEvent { code, modifiers, .. })) = event::read() {
            let interrupted = code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL);
            if interrupted || matches!(code, KeyCode::Char('q') | KeyCode::Esc) {
                return interrupt::ask();
            }
        }
    }
}

struct View<'a> {
    picture: &'a Picture,
    folder: &'a str,
    team: &'a [Role],
    colour: bool,
}

impl View<'_> {
    fn draw(&self, frame: &mut Frame<'_>) {
        let team = self.team.len() as u16 + 3;
        let left = frame.area().height.saturating_sub(team + 3);
        let board = (left * 6 / 10).clamp(5, 18);
        let areas: [Rect; 5] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(team),
            Constraint::Length(board),
            Constraint::Min(4),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let [title, team, board, stream, foot] = areas;
        frame.render_widget(self.title(), title);
        frame.render_widget(self.team(team.width), team);
        self.board(frame, board);
        frame.render_widget(self.stream(stream), stream);
        frame.render_widget(self.foot(), foot);
    }

    fn ink(&self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    fn dim(&self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    fn block(&self, title: &str) -> Block<'static> {
        Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(self.dim())
            .title(Span::styled(format!(" {title} "), Style::new().add_modifier(Modifier::BOLD)))
    }

    fn title(&self) -> Text<'_> {
        let (done, all) = self.picture.done_of();
        Text::from(vec![
            Span::styled(
                " folkmoot demo ",
                self.ink(Color::Black).bg(self.ink(Color::Cyan).fg.unwrap_or_default()),
            ),
            Span::raw(format!("  {}", self.folder)),
            Span::styled(format!("   {:.1} s", self.picture.elapsed().as_secs_f64()), self.dim()),
            Span::styled(format!("   {done} of {} done", plural(all as u64, "task")), self.ink(Color::Green)),
        ])
    }

    fn team(&self, width: u16) -> Table<'_> {
        let roomy = width >= ROOMY;
        let head = ["", "agent", "can", "works on", "", "done", "tools", "last tool", "process"];
        let head = Row::new(head.map(|name| Cell::from(Span::styled(name, self.dim()))));
        let rows = self.team.iter().map(|role| match self.picture.members.get(role.name) {
            Some(member) => self.member(member),
            None => Row::new(["·", role.name, "starting"]),
        });
        let mut widths = vec![
            Constraint::Length(1),
            Constraint::Length(10),
            Constraint::Length(14),
            Constraint::Min(20),
            Constraint::Length(4),
            Constraint::Length(4),
        ];
        if roomy {
            widths.extend([Constraint::Length(5), Constraint::Length(15), Constraint::Length(8)]);
        }
        Table::new(rows, widths).header(head).block(self.block("who is present"))
    }

    fn member(&self, member: &Member) -> Row<'_> {
        let id = member.agent.agent_id.as_str();
        let presence = &member.presence;
        let killed = self.picture.death.as_ref().is_some_and(|death| death.agent_id == id);
        let (dot, colour) = match presence.status {
            _ if killed => ("✗", Color::Red),
            Status::Offline => ("○", Color::DarkGray),
            Status::Active => ("●", Color::Green),
            Status::Idle => ("●", Color::Yellow),
            Status::Error => ("●", Color::Red),
        };
        let pid = presence.location.as_ref().and_then(|location| location.pid).unwrap_or(0);
        let can: Vec<&str> = member.agent.capabilities.keys().map(String::as_str).collect();
        let held = self.picture.held_by(id);
        let (work, percent) = match held {
            Some(task) => (task.title.clone(), format!("{:>3.0}%", task.progress)),
            None => (String::new(), String::new()),
        };
        let left = match (killed, presence.status) {
            (true, Status::Offline) => "killed; its lease has lapsed".to_owned(),
            (true, _) => format!("KILLED while at: {work}"),
            (false, Status::Offline) if member.left.as_deref() == Some("lapsed") => "not heard of".to_owned(),
            (false, Status::Offline) => "has left".to_owned(),
            (false, _) => work,
        };
        let done = self
            .picture
            .tasks
            .values()
            .filter(|task| task.status == TaskStatus::Completed && task.agent_id.as_deref() == Some(id));
        let row = Row::new(vec![
            Cell::from(Span::styled(dot, self.ink(colour))),
            Cell::from(Span::styled(id.to_owned(), Style::new().add_modifier(Modifier::BOLD))),
            Cell::from(can.join(", ")),
            Cell::from(one_line(&left)),
            Cell::from(percent),
            Cell::from(format!("{:>4}", done.count())),
            Cell::from(format!("{:>5}", presence.total_tools_executed)),
            Cell::from(presence.last_tool_name.clone().unwrap_or_default()),
            Cell::from(pid.to_string()),
        ]);
        match (killed, presence.status) {
            (true, _) => row.style(self.ink(Color::Red)),
            (false, Status::Offline) => row.style(self.dim()),
            _ => row,
        }
    }

    fn board(&self, frame: &mut Frame<'_>, area: Rect) {
        let columns: [(&str, &[TaskStatus], u16); 4] = [
            ("blocked", &[TaskStatus::Blocked], 20),
            ("ready", &[TaskStatus::Ready], 20),
            ("in progress", &[TaskStatus::Claimed, TaskStatus::InProgress], 38),
            ("done", &[TaskStatus::Completed], 22),
        ];
        let areas = Layout::horizontal(columns.map(|(_, _, share)| Constraint::Fill(share))).split(area);
        for ((name, statuses, _), area) in columns.into_iter().zip(areas.iter()) {
            let mut tasks = self.picture.with_status(statuses);
            if name == "done" {
                tasks.sort_by_key(|task| std::cmp::Reverse(task.ended_at));
            }
            let title = format!("{name} {}", tasks.len());
            let inner = self.block(&title).inner(*area);
            let lines = match name {
                "in progress" => tasks.iter().flat_map(|task| self.running(task, inner.width)).collect(),
                _ => self.titles(&tasks, inner, name == "done"),
            };
            frame.render_widget(Paragraph::new(lines).block(self.block(&title)), *area);
        }
    }

    fn titles(&self, tasks: &[&Task], area: Rect, done: bool) -> Vec<Text<'static>> {
        let room = usize::from(area.height);
        let shown = if tasks.len() > room { room.saturating_sub(1) } else { tasks.len() };
        let width = usize::from(area.width);
        let mut lines: Vec<Text<'static>> = tasks
            .iter()
            .take(shown)
            .map(|task| {
                let mark = if done { "✓ " } else { "" };
                let again = if task.attempts > 1 { " (taken over)" } else { "" };
                let style = if done { self.ink(Color::Green) } else { Style::new() };
                Text::from(vec![
                    Span::styled(mark, style),
                    Span::raw(shorten(
                        &one_line(&task.title),
                        width.saturating_sub(mark.len() + again.len()),
                    )),
                    Span::styled(again, self.ink(Color::Yellow)),
                ])
            })
            .collect();
        if tasks.len() > shown {
            lines.push(Text::styled(format!("and {} more", tasks.len() - shown), self.dim()));
        }
        lines
    }

    /// A task that someone holds: its title and holder, and below how far it is.
    fn running(&self, task: &Task, width: u16) -> [Text<'static>; 2] {
        let width = usize::from(width);
        let holder = task.agent_id.clone().unwrap_or_default();
        let dead = self.picture.death.as_ref().is_some_and(|death| death.agent_id == holder);
        let colour = if dead { Color::Red } else { Color::Blue };
        let again = task.attempts > 1;
        let note = if dead {
            " ✗ killed"
        } else if again {
            " ↻ taken over"
        } else {
            ""
        };
        let room = width.saturating_sub(holder.chars().count() + note.chars().count() + 2);
        let head = Text::from(vec![
            Span::raw(shorten(&one_line(&task.title), room)),
            Span::styled(format!("  {holder}"), Style::new().add_modifier(Modifier::BOLD)),
            Span::styled(note, self.ink(if dead { Color::Red } else { Color::Yellow })),
        ]);
        let phase = shorten(&one_line(task.phase.as_deref().unwrap_or_default()), 16);
        let bar = width.saturating_sub(24).clamp(5, 40);
        let full = (bar as f64 * task.progress / 100.0).round() as usize;
        let body = Text::from(vec![
            Span::styled("━".repeat(full.min(bar)), self.ink(colour)),
            Span::styled("─".repeat(bar.saturating_sub(full)), self.dim()),
            Span::raw(format!(" {:>3.0}% ", task.progress)),
            Span::styled(phase, self.dim()),
        ]);
        [head, body]
    }

    fn stream(&self, area: Rect) -> Paragraph<'static> {
        let room = usize::from(area.height.saturating_sub(2));
        let width = usize::from(area.width.saturating_sub(2 + 8 + 17 + 12));
        let skip = self.picture.lines.len().saturating_sub(room);
        let lines: Vec<Text<'static>> = self
            .picture
            .lines
            .iter()
            .skip(skip)
            .map(|line| {
                let colour = match line.who.as_str() {
                    DIRECTOR => Color::Red,
                    _ => ink_of(crate::describe::colour(&line.kind)),
                };
                Text::from(vec![
                    Span::styled(format!("{:>6.2}s ", line.at.as_secs_f64()), self.dim()),
                    Span::styled(format!("{:<16} ", line.kind), self.ink(colour)),
                    Span::styled(format!("{:<11} ", line.who), Style::new().add_modifier(Modifier::BOLD)),
                    Span::raw(shorten(&line.words, width)),
                ])
            })
            .collect();
        Paragraph::new(lines).block(self.block("what is said and done"))
    }

    fn foot(&self) -> Text<'_> {
        let picture = self.picture;
        let mut parts = vec![
            plural(picture.events, "event"),
            plural(picture.messages, "message"),
            plural(picture.merges, "merge"),
            format!("{} merged again", plural(picture.conflicts, "conflict")),
        ];
        if let Some((agent, at)) = picture.death.as_ref().and_then(|death| death.taken_over.as_ref()) {
            let after = at.as_secs_f64() - picture.death.as_ref().map_or(0.0, |death| death.at.as_secs_f64());
            parts.push(format!("{agent} took over {after:.1} s after the death"));
        }
        parts.extend(picture.decided.as_ref().map(|decided| format!("decided: {decided}")));
        Text::styled(format!(" q ends it · {}", parts.join(" · ")), self.dim())
    }
}

/// The same colour, as the screen's library names it.
fn ink_of(colour: anstyle::AnsiColor) -> Color {
    match colour {
        anstyle::AnsiColor::Red => Color::Red,
        anstyle::AnsiColor::Green => Color::Green,
        anstyle::AnsiColor::Blue => Color::Blue,
        anstyle::AnsiColor::Magenta => Color::Magenta,
        anstyle::AnsiColor::Cyan => Color::Cyan,
        anstyle::AnsiColor::BrightBlack => Color::DarkGray,
        _ => Color::Yellow,
    }
}
