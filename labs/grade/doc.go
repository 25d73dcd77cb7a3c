// Package grade is what a check is, and its verdict: the kinds of check that a
// lab may ask for, how their points add up, and the report in the forms that
// people and gradebooks read. Package labs/grade/engine carries checks out.
package grade

import "time"

// Check is one thing that a lab expects of its student. Exactly one of the
// kinds in Kinds is set.
//
// The tags say what a lab.yaml may hold: yaml names the key, doc describes it
// for the documentation and the JSON Schema. Decoding, schema and
// documentation are made of them.
type Check struct {
	Name    string        `json:"name" yaml:"-"` // its key in the lab file, ^[a-z][a-z0-9-]{0,30}$
	Title   string        `json:"title" yaml:"title" doc:"What is expected, as a statement: “r1 reaches r2”."`
	Points  float64       `json:"points" yaml:"points" doc:"What it is worth; 1 when nothing is said, 0 for a check that only shows something."`
	Hint    string        `json:"hint,omitempty" yaml:"hint" doc:"What helps a student whose check fails; a sentence, shown when they unfold it."`
	Look    string        `json:"look,omitempty" yaml:"look" doc:"Where to look when it fails: a command or a file."`
	Step    string        `json:"step,omitempty" yaml:"step" doc:"The step of the guide that it belongs to: the id of a heading."`
	Needs   []string      `json:"needs,omitempty" yaml:"needs" doc:"Checks that must have passed before: otherwise this one is not tried and counts as failed."`
	Not     bool          `json:"not,omitempty" yaml:"not" doc:"Turns it round: passes when what is described is not so."`
	Within  time.Duration `json:"within,omitempty" yaml:"within" doc:"It is tried again until it passes, for as long as this: networks converge. 10 s when nothing is said."`
	For     time.Duration `json:"for,omitempty" yaml:"for" doc:"How long a negated check must hold without a break, and how long frames are watched for. 2 s when nothing is said."`
	Visible Visibility    `json:"visible,omitempty" yaml:"visible" doc:"Who sees it: always, after (once the assignment is due), never (staff only)."`
	Reboot  *bool         `json:"reboot,omitempty" yaml:"reboot" doc:"Whether it must hold after a fresh boot too; true when nothing is said."`

	Kinds `yaml:",inline"`
}

// Visibility says when a student sees a check.
type Visibility string

// The visibilities; empty means always.
const (
	Always Visibility = "always"
	After  Visibility = "after" // once the assignment is due
	Never  Visibility = "never"
)

// Trust says what a check's verdict rests on.
type Trust string

// The trusts, strongest first.
const (
	Wire  Trust = "wire"  // frames in the switch and a probe host: root in every guest cannot forge it
	Disk  Trust = "disk"  // the student's disk, read from outside in a guest of its own
	Guest Trust = "guest" // asked inside the guest, with the programs of the pristine image
)

// Outcome of a check.
type Outcome string

// The outcomes.
const (
	Pass    Outcome = "pass"
	Fail    Outcome = "fail"
	Error   Outcome = "error"   // ours: costs no points, staff see it
	Skipped Outcome = "skipped" // what it needs did not pass; no points
)

// Result of one check.
type Result struct {
	Check    string        `json:"check"`
	Title    string        `json:"title"`
	Step     string        `json:"step,omitempty"`
	Kind     string        `json:"kind"` // the key of Kinds
	Trust    Trust         `json:"trust"`
	Outcome  Outcome       `json:"outcome"`
	Points   float64       `json:"points"` // earned
	Worth    float64       `json:"worth"`  // of what can be earned
	Visible  Visibility    `json:"visible,omitempty"`
	Expected string        `json:"expected,omitempty"` // a sentence
	Seen     string        `json:"seen,omitempty"`     // a sentence, or an error's for Error
	Hint     string        `json:"hint,omitempty"`     // the author's
	Look     string        `json:"look,omitempty"`     // where to look
	Doubt    string        `json:"doubt,omitempty"`    // why a guest check's answer may not be believed; empty: nothing spoke against it
	Tries    int           `json:"tries"`
	Took     time.Duration `json:"took"`
	Evidence []Evidence    `json:"evidence,omitempty"`
}

// Evidence is what a verdict was made from. At most 64 KiB each, four a check.
type Evidence struct {
	Name string `json:"name"` // "r1: ip -j route", "frames.pcapng"
	Type string `json:"type"` // text/plain, application/json, application/x-pcapng
	Data []byte `json:"data"`
	Cut  bool   `json:"cut,omitempty"`
}

// Report is the outcome of all checks of a lab at one time.
type Report struct {
	Lab      string        `json:"lab"`
	Digest   string        `json:"digest,omitempty"` // the version of the lab whose checks these are
	Boot     Boot          `json:"boot"`
	Started  time.Time     `json:"started"`
	Took     time.Duration `json:"took"`
	Results  []Result      `json:"results"`          // in the lab's order
	Points   float64       `json:"points"`           // earned, see Score
	Worth    float64       `json:"worth"`            // of the checks that could be judged
	Errors   int           `json:"errors,omitempty"` // checks that could not be judged: ours to mend
	Warnings []string      `json:"warnings,omitempty"`
}

// Boot says on what a Report was made.
type Boot string

// The boots.
const (
	Live  Boot = "live"  // the student's running lab
	Fresh Boot = "fresh" // a fresh boot of the disks that were handed in
)
