//! A case: modules, a target, flags, and the differences that are right.

use wharf_testing::Image;

use crate::allowed::Allowance;
use crate::modules::Module;
use crate::tree::Tree;

/// The same for Trivy and for Wharf.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it shows, in a sentence.
    pub(crate) about: &'static str,
    pub(crate) modules: Vec<Module>,
    pub(crate) target: Target,
    pub(crate) form: Form,
    /// Flags that both have.
    pub(crate) flags: Vec<String>,
    /// What lies in the folder in which they run, beside the target.
    pub(crate) files: Tree,
    /// What both must say on standard error or in the report, such as what a module logs.
    pub(crate) both_say: Vec<&'static str>,
    /// What Trivy must say there, so that a case shows what it is about.
    pub(crate) trivy_says: Vec<&'static str>,
    /// What Wharf must say there.
    pub(crate) wharf_says: Vec<&'static str>,
    /// The differences that are right in this case.
    pub(crate) allowed: Vec<Allowance>,
}

/// What is scanned.
pub(crate) enum Target {
    /// A folder called `tree`, by this path.
    Folder(Tree, &'static str),
    /// An archive as `docker save` writes it.
    Archive(Image),
    /// A layout of OCI, a folder.
    Layout(Image),
    /// A bill of materials, by its file's name.
    Bill(&'static str, String),
    /// Findings of Trivy's own scanner of this name in a folder. Trivy runs the modules over them at once, Wharf over the
    /// report that Trivy made without.
    Findings(&'static str, Tree),
}

/// The format of the report, and so how it is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Sarif,
    CycloneDx,
    Spdx,
    Table,
    /// A template of Go for Trivy, and one of Jinja for Wharf, which should say the same.
    Template([&'static str; 2]),
}

impl Form {
    /// As the flag has it.
    pub(crate) fn flag(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx-json",
            Self::Table => "table",
            Self::Template(_) => "template",
        }
    }
}

/// A case without modules, flags and allowances.
pub(crate) fn case(name: &'static str, about: &'static str, target: Target) -> Case {
    Case {
        name,
        about,
        modules: Vec::new(),
        target,
        form: Form::Json,
        flags: Vec::new(),
        files: Tree::default(),
        both_say: Vec::new(),
        trivy_says: Vec::new(),
        wharf_says: Vec::new(),
        allowed: Vec::new(),
    }
}

/// A folder, by its name.
pub(crate) fn folder(tree: Tree) -> Target {
    Target::Folder(tree, "tree")
}

impl Case {
    pub(crate) fn module(mut self, module: impl Into<Module>) -> Self {
        self.modules.push(module.into());
        self
    }

    pub(crate) fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(str::to_owned));
        self
    }

    pub(crate) fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    pub(crate) fn file(mut self, name: &str, text: &str) -> Self {
        self.files = self.files.file(name, text);
        self
    }

    pub(crate) fn both_say(mut self, text: &'static str) -> Self {
        self.both_say.push(text);
        self
    }

    pub(crate) fn trivy_says(mut self, text: &'static str) -> Self {
        self.trivy_says.push(text);
        self
    }

    pub(crate) fn wharf_says(mut self, text: &'static str) -> Self {
        self.wharf_says.push(text);
        self
    }

    /// `what` may differ; a `*` at its end stands for any rest.
    pub(crate) fn allow(mut self, what: &'static str, reason: &'static str) -> Self {
        self.allowed.push(Allowance::of(what, reason));
        self
    }

    /// `what` may be this in Trivy and that in Wharf.
    pub(crate) fn allow_as(
        mut self,
        what: &'static str,
        [trivy, wharf]: [&'static str; 2],
        reason: &'static str,
    ) -> Self {
        self.allowed.push(Allowance {
            trivy: Some(trivy),
            wharf: Some(wharf),
            ..Allowance::of(what, reason)
        });
        self
    }
}
