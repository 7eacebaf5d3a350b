//! What may stand in a CEL expression. Checked before anything is evaluated: its names, its functions, its loops.
use std::collections::BTreeMap;

use cel::{
    Env, IdedExpr,
    common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SourceInfo},
};
use regex::Regex;

use super::{clipped, rules::regex};
use crate::limits::{CEL_BYTES_MAX, CEL_DEPTH_MAX, CEL_OPERATORS_MAX};

/// The functions that can be called, the macros (`has`, `all`, `exists`, `exists_one`, `map`, `filter`) aside.
const FUNCTIONS: [&str; 13] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "dyn",
    "type",
];
/// The names of types, which `type(x) == int` compares with.
const TYPES: [&str; 10] =
    ["int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"];
/// The variables.
const VARIABLES: [&str; 2] = [EVENT, BODY];
/// The event's own members.
pub(super) const EVENT: &str = "event";
/// The body.
pub(super) const BODY: &str = "body";
/// The member of `event` that is made only where it is asked for.
pub(super) const HEADERS: &str = "headers";

/// An expression that may be evaluated.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) expression: IdedExpr,
    /// The patterns of `matches`, compiled.
    pub(super) patterns: BTreeMap<String, Regex>,
    /// Whether `event.headers` may be looked at.
    pub(super) uses_headers: bool,
    /// Whether `body` is looked at.
    pub(super) uses_body: bool,
    /// Nodes inside of loops.
    pub(super) loop_nodes: usize,
}

/// Parses and checks.
///
/// # Errors
/// What is wrong, and at which line and column.
pub(super) fn check(text: &str, env: &Env) -> Result<Checked, String> {
    within_bounds(text)?;
    let parsed = env.parser().max_recursion_depth(CEL_DEPTH_MAX).parse_with_source_info(text);
    let (expression, source) = parsed.map_err(|errors| {
        let first = errors.errors.into_iter().next();
        let (place, message) = first.map_or(((0, 0), String::new()), |error| (error.pos, error.msg));
        syntax(&message, place)
    })?;
    let mut check = Check {
        source: &source,
        text,
        names: Vec::new(),
        loops: 0,
        loop_nodes: 0,
        patterns: BTreeMap::new(),
        uses_headers: false,
        uses_body: false,
    };
    check.node(&expression)?;
    let Check { patterns, uses_headers, uses_body, loop_nodes, .. } = check;
    Ok(Checked { patterns, uses_headers, uses_body, loop_nodes, expression })
}

/// The bounds that hold before the parser sees the text: it recurses, and who overflows a stack takes the process along.
fn within_bounds(text: &str) -> Result<(), String> {
    if text.len() > CEL_BYTES_MAX {
        return Err(format!("an expression has at most {CEL_BYTES_MAX} bytes, this one {}", text.len()));
    }
    let operators = text.bytes().filter(|byte| b"+-*/%=<>!&|?:.,[({".contains(byte)).count();
    if operators > CEL_OPERATORS_MAX {
        return Err(format!(
            "an expression has at most {CEL_OPERATORS_MAX} operators and brackets, this one {operators}: use match rules, or \
             types"
        ));
    }
    Ok(())
}

/// A syntax error, in few words. The parser's own are long lists, and its limit is told as a value of its own making.
fn syntax(message: &str, (line, column): (isize, isize)) -> String {
    if message.contains("Recursion limit") {
        return format!("it nests deeper than {CEL_DEPTH_MAX} levels: flatten it");
    }
    let short = message.split(" expecting ").next().unwrap_or(message);
    clipped(format!("{short} (at line {line}, column {column})"))
}

/// The walk over an expression.
struct Check<'c> {
    source: &'c SourceInfo,
    text: &'c str,
    /// The variables of the loops that one is in.
    names: Vec<&'c str>,
    loops: usize,
    loop_nodes: usize,
    patterns: BTreeMap<String, Regex>,
    uses_headers: bool,
    uses_body: bool,
}

impl<'c> Check<'c> {
    fn node(&mut self, node: &'c IdedExpr) -> Result<(), String> {
        self.loop_nodes += usize::from(self.loops > 0);
        match &node.expr {
            Expr::Unspecified => Err(self.told(node, "it is incomplete")),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(node, name),
            Expr::Select(select) => {
                // Whoever takes all of `event` may take the headers from it.
                let direct = matches!(&select.operand.expr, Expr::Ident(name) if name == EVENT);
                if direct && select.field != HEADERS && !self.names.contains(&EVENT) {
                    return Ok(());
                }
                self.node(&select.operand)
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.node(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.node(&entry.key)?;
                    self.node(&entry.value)
                }
                EntryExpr::StructField(field) => self.node(&field.value),
            }),
            Expr::Struct(_) => Err(self.told(node, "there are no message types here")),
            Expr::Call(call) => self.call(node, call),
            Expr::Comprehension(inner) => self.comprehension(node, inner),
        }
    }

    fn name(&mut self, node: &IdedExpr, name: &str) -> Result<(), String> {
        if self.names.contains(&name) {
            return Ok(());
        }
        self.uses_headers |= name == EVENT;
        self.uses_body |= name == BODY;
        match VARIABLES.contains(&name) || TYPES.contains(&name) {
            true => Ok(()),
            false => Err(self.told(node, &format!("unknown name `{name}`: there are event and body"))),
        }
    }

    fn call(&mut self, node: &'c IdedExpr, call: &'c CallExpr) -> Result<(), String> {
        let name = &*call.func_name;
        let is_operator = name.chars().any(|c| !c.is_ascii_alphanumeric() && c != '_');
        if !is_operator && !FUNCTIONS.contains(&name) {
            let known = FUNCTIONS.join(", ");
            let message = format!(
                "unknown function `{name}`: there are {known}, has, all, exists, exists_one, map, filter"
            );
            return Err(self.told(node, &message));
        }
        if name == "matches" {
            self.pattern(node, call.args.last())?;
        }
        call.target.iter().try_for_each(|target| self.node(target))?;
        call.args.iter().try_for_each(|argument| self.node(argument))
    }

    /// Patterns are compiled once, here: one that comes with an event could be made to cost much.
    fn pattern(&mut self, node: &IdedExpr, argument: Option<&IdedExpr>) -> Result<(), String> {
        let Some(Expr::Literal(LiteralValue::String(text))) = argument.map(|argument| &argument.expr) else {
            return Err(self.told(node, "the pattern of `matches` must be a literal text"));
        };
        let pattern = regex(text.inner()).map_err(|message| self.told(node, &message))?;
        self.patterns.insert(text.inner().to_owned(), pattern);
        Ok(())
    }

    fn comprehension(&mut self, node: &IdedExpr, inner: &'c ComprehensionExpr) -> Result<(), String> {
        if self.loops > 0 {
            let message = "all, exists, exists_one, map and filter do not nest";
            return Err(self.told(node, message));
        }
        self.node(&inner.iter_range)?;
        self.node(&inner.accu_init)?;
        let own = [Some(&inner.iter_var), inner.iter_var2.as_ref(), Some(&inner.accu_var)];
        self.names = own.into_iter().flatten().map(String::as_str).collect();
        self.loops = 1;
        let walked = [&inner.loop_cond, &inner.loop_step, &inner.result];
        let walked = walked.into_iter().try_for_each(|node| self.node(node));
        self.loops = 0;
        self.names.clear();
        walked
    }

    /// A mistake with its place.
    fn told(&self, node: &IdedExpr, message: &str) -> String {
        let at = self.source.offset_for(node.id).map_or(0, |(start, _)| start as usize);
        let before: String = self.text.chars().take(at).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        clipped(format!("{message} (at line {line}, column {column})"))
    }
}
