package grade

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// File: see Kinds.
type File struct {
	Node    string   `json:"node" yaml:"node" doc:"The node."`
	Path    string   `json:"path,omitempty" yaml:"path" doc:"The absolute path. Links are followed within the disk. What lies in /run, /proc, /sys and /dev is on no disk."`
	Absent  bool     `json:"absent,omitempty" yaml:"absent" doc:"Nothing is there."`
	Kind    string   `json:"kind,omitempty" yaml:"kind" doc:"file, directory, link, device, pipe or socket; whatever is there when nothing is said."`
	Mode    string   `json:"mode,omitempty" yaml:"mode" doc:"The permission bits in octal: “0640”."`
	Owner   *uint32  `json:"owner,omitempty" yaml:"owner" doc:"The owner's number."`
	Group   *uint32  `json:"group,omitempty" yaml:"group" doc:"The group's number."`
	Link    string   `json:"link,omitempty" yaml:"link" doc:"Where the link leads, as it is written in it."`
	MinSize int64    `json:"min_size,omitempty" yaml:"min_size" doc:"The least size, in bytes."`
	MaxSize *int64   `json:"max_size,omitempty" yaml:"max_size" doc:"The greatest size, in bytes."`
	Changed *bool    `json:"changed,omitempty" yaml:"changed" doc:"Whether it differs from what the image has there, in content, permissions or owner."`
	Names   []string `json:"names,omitempty" yaml:"names" doc:"Names that the folder holds, each of them; * stands for anything."`
	Lacks   []string `json:"lacks,omitempty" yaml:"lacks" doc:"Texts that the file does not hold, nor names that the folder does."`

	Contains []string `json:"contains,omitempty" yaml:"contains" doc:"Texts in the file's first 4 MiB, each of them."`
	Regex    string   `json:"regex,omitempty" yaml:"regex" doc:"A regular expression that matches in them; ^ and $ are a line's ends."`
	Equals   *string  `json:"equals,omitempty" yaml:"equals" doc:"All of its text; spaces at its ends do not matter."`

	Lines    []string          `json:"lines,omitempty" yaml:"lines" doc:"Lines that the file has, each of them. Space counts once, and comments do not count."`
	Comment  []string          `json:"comment,omitempty" yaml:"comment" doc:"What begins a comment; #, ;, ! and // when nothing is said."`
	INI      map[string]string `json:"ini,omitempty" yaml:"ini" doc:"Values of an INI file by SECTION.KEY, and by KEY before any section. A value between slashes is a regular expression."`
	Settings map[string]string `json:"settings,omitempty" yaml:"settings" doc:"Values of a file of KEY=VALUE lines, as sysctl.conf is; / and . in a key are the same, the last line counts."`
	JSON     map[string]string `json:"json,omitempty" yaml:"json" doc:"Values of a JSON file by path, such as a.b[0]."`

	Enabled string `json:"enabled,omitempty" yaml:"enabled" doc:"In place of a path: a service that starts with the machine, by its name in /etc/init.d."`
}

var servicePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$`)

// Nodes is part of Kind.
func (k *File) Nodes() []string { return nodesOf(k.Node) }

// Segments is part of Kind.
func (k *File) Segments() []string { return nil }

// Validate is part of Kind.
func (k *File) Validate(report report) {
	if k.Node == "" {
		report("node", "name the node", "there is no node")
	}
	switch {
	case k.Enabled != "" && k.Path != "":
		report("enabled", "make two checks of it", "a check is about a path or about a service")
	case k.Enabled != "" && !servicePattern.MatchString(k.Enabled):
		report("enabled", "", "%q is no service's name", k.Enabled)
	case k.Enabled == "" && (!path.IsAbs(k.Path) || len(k.Path) > 4000 || strings.Contains(k.Path, "\x00")):
		report("path", "write an absolute path, such as /etc/hosts", "%q is no absolute path", k.Path)
	}
	for _, dir := range []string{"/run", "/proc", "/sys", "/dev"} {
		if p := path.Clean(k.Path); p == dir || strings.HasPrefix(p, dir+"/") {
			report("path", "use a check that asks the running machine", "%s is on no disk", k.Path)
		}
	}
	oneOf(report, "kind", k.Kind, "file", "directory", "link", "device", "pipe", "socket")
	if _, err := strconv.ParseUint(k.Mode, 8, 12); k.Mode != "" && err != nil {
		report("mode", "write it in octal and in quotes: \"0640\"", "%q are no permission bits", k.Mode)
	}
	if k.MinSize < 0 || k.MaxSize != nil && *k.MaxSize < k.MinSize {
		report("max_size", "", "a size cannot be within %d and %d bytes", k.MinSize, *orZero(k.MaxSize))
	}
	validateRegex(report, "regex", k.Regex)
	for i, s := range k.Contains {
		validateLength(report, "contains["+itoa(i)+"]", s)
	}
	for field, m := range map[string]map[string]string{"ini": k.INI, "settings": k.Settings, "json": k.JSON} {
		for key, v := range m {
			if expr, is := Slashed(v); is {
				validateRegex(report, field+"."+key, expr)
			}
		}
	}
	if k.Absent && (k.Content() || k.Mode != "" || k.Owner != nil || k.Group != nil || k.Kind != "" || k.Link != "" || k.MinSize > 0 || k.MaxSize != nil || len(k.Names) > 0) {
		report("absent", "", "what is absent has no properties")
	}
}

func orZero(n *int64) *int64 {
	if n == nil {
		return new(int64)
	}
	return n
}

// Content says whether the check has to read the file's content.
func (k *File) Content() bool {
	return len(k.Contains)+len(k.Lacks)+len(k.Lines)+len(k.INI)+len(k.Settings)+len(k.JSON) > 0 || k.Regex != "" || k.Equals != nil
}

// Comments are what begins a comment.
func (k *File) Comments() []string {
	if k.Comment == nil {
		return []string{"#", ";", "!", "//"}
	}
	return k.Comment
}

// Expect is part of Kind.
func (k *File) Expect() string {
	if k.Enabled != "" {
		return "the service " + k.Enabled + " starts with " + k.Node
	}
	if k.Absent {
		return "there is no " + k.Path + " on the disk of " + k.Node
	}
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if k.Kind != "" {
		add("is a %s", k.Kind)
	}
	if k.Link != "" {
		add("leads to %s", k.Link)
	}
	if k.Mode != "" {
		add("has the mode %s", k.Mode)
	}
	if k.Owner != nil {
		add("belongs to user %d", *k.Owner)
	}
	if k.Group != nil {
		add("belongs to group %d", *k.Group)
	}
	if k.MinSize > 0 {
		add("has at least %d bytes", k.MinSize)
	}
	if k.MaxSize != nil {
		add("has at most %d bytes", *k.MaxSize)
	}
	if k.Changed != nil {
		add("%s", map[bool]string{true: "differs from the image's", false: "is as the image has it"}[*k.Changed])
	}
	for _, s := range k.Names {
		add("holds %s", s)
	}
	for _, s := range k.Contains {
		add("holds %q", s)
	}
	for _, s := range k.Lacks {
		add("does not hold %q", s)
	}
	if k.Regex != "" {
		add("matches %s", k.Regex)
	}
	if k.Equals != nil {
		add("is %q", clip(*k.Equals))
	}
	for _, s := range k.Lines {
		add("has the line %q", s)
	}
	for _, m := range []map[string]string{k.INI, k.Settings, k.JSON} {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			add("sets %s to %s", key, m[key])
		}
	}
	if len(parts) == 0 {
		return "there is " + k.Path + " on the disk of " + k.Node
	}
	return k.Path + " on the disk of " + k.Node + " " + strings.Join(parts, ", ")
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// Declared: see Kinds. It asks nobody but the lab's own text: labs taken over
// from elsewhere check that their author, or a student who writes a lab, has
// said something.
type Declared struct {
	Node    string            `json:"node" yaml:"node" doc:"The node."`
	Present *bool             `json:"present,omitempty" yaml:"present" doc:"Whether the lab has the node at all. With it, neither the node nor a segment named in on has to be in the lab: for labs whose lab file is the student's own work."`
	Startup *bool             `json:"startup,omitempty" yaml:"startup" doc:"Whether it has startup commands."`
	Sysctls map[string]string `json:"sysctls,omitempty" yaml:"sysctls" doc:"Kernel settings that the lab sets on it."`
	IPv6    *bool             `json:"ipv6,omitempty" yaml:"ipv6" doc:"Whether IPv6 is on: no setting of the lab's turns it off, and an interface has an IPv6 address or a setting turns it on."`
	Image   string            `json:"image,omitempty" yaml:"image" doc:"The image's name; default for the default one."`
	On      map[string]string `json:"on,omitempty" yaml:"on" doc:"The segment that each interface is on."`
}

// Nodes is part of Kind.
func (k *Declared) Nodes() []string {
	if k.Present != nil {
		return nil // whether it is there is what is asked
	}
	return nodesOf(k.Node)
}

// Segments is part of Kind.
func (k *Declared) Segments() []string {
	if k.Present != nil {
		return nil
	}
	return slices.Sorted(maps.Values(k.On))
}

// Validate is part of Kind.
func (k *Declared) Validate(report report) {
	if k.Node == "" {
		report("node", "name the node", "there is no node")
	}
	if k.Present != nil && !*k.Present && (k.Startup != nil || len(k.Sysctls) > 0 || k.IPv6 != nil || k.Image != "" || len(k.On) > 0) {
		report("present", "", "what is not in the lab has no properties")
	}
	if k.Present == nil && k.Startup == nil && len(k.Sysctls) == 0 && k.IPv6 == nil && k.Image == "" && len(k.On) == 0 {
		report("startup", "say present, startup, sysctls, ipv6, image or on", "nothing is expected of %s", k.Node)
	}
}

// Expect is part of Kind.
func (k *Declared) Expect() string {
	var parts []string
	if k.Startup != nil {
		parts = append(parts, map[bool]string{true: "startup commands", false: "no startup commands"}[*k.Startup])
	}
	for _, key := range slices.Sorted(maps.Keys(k.Sysctls)) {
		parts = append(parts, key+"="+k.Sysctls[key])
	}
	if k.IPv6 != nil {
		parts = append(parts, map[bool]string{true: "IPv6", false: "no IPv6"}[*k.IPv6])
	}
	if k.Image != "" {
		parts = append(parts, "the image "+k.Image)
	}
	for _, iface := range slices.Sorted(maps.Keys(k.On)) {
		parts = append(parts, iface+" on "+k.On[iface])
	}
	switch {
	case len(parts) > 0:
		return "the lab gives " + k.Node + " " + strings.Join(parts, ", ")
	case k.Present != nil && !*k.Present:
		return "the lab has no node " + k.Node
	}
	return "the lab has the node " + k.Node
}
