// Package checker makes checks of Patchbay of a configuration of
// kathara-lab-checker.
package checker

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/grade"
	"github.com/patchbay/patchbay/labs/kathara"
)

const (
	quick = 30 * time.Second // for what has no need to converge
	calm  = time.Minute      // at least, for what has: a RIP update alone takes 30 s
)

// Convert gives the checks of a configuration as the part “checks:” of a
// lab.yaml, for the lab that was taken over as im. name is the configuration's
// file, open reads files beside it: the checker's “structure”. Whatever cannot
// be taken over, or is another thing here, is in the notes. A device that the
// lab lacks is no error: it may be the student's to add, so its checks fail.
func Convert(config []byte, name string, im *kathara.Import, open func(string) ([]byte, error)) (string, []kathara.Note, error) {
	top, err := read(name, config)
	if err != nil {
		return "", nil, err
	}
	if top.kind != mapping {
		return "", nil, labs.Problems{{File: name, Line: 1, Col: 1, Message: "this is no configuration of kathara-lab-checker", Fix: "it has the keys structure and test at its top"}}
	}
	c := &converter{name: name, im: im, open: open, names: map[string]bool{}, within: calm}
	c.top(top)
	c.fit()
	c.sift()
	if n := len(c.checks); n == 0 || n > grade.MaxChecks {
		return "", nil, labs.Problems{{File: name, Line: 1, Col: 1, Message: fmt.Sprintf("%d checks come of it, and a lab has 1 to %d", n, grade.MaxChecks)}}
	}
	return text(c.checks), c.notes, nil
}

// Add converts a configuration and puts its checks into the lab.
func Add(config []byte, name string, im *kathara.Import, open func(string) ([]byte, error)) error {
	checks, notes, err := Convert(config, name, im, open)
	if err != nil {
		return err
	}
	f := im.Files["lab.yaml"]
	f.Data = with(f.Data, checks)
	im.Files["lab.yaml"] = f
	im.Notes = append(im.Notes, notes...)
	return nil
}

// with is a lab.yaml with checks behind it.
func with(lab []byte, checks string) []byte {
	return append(bytes.TrimRight(bytes.Clone(lab), "\n"), []byte("\n\n"+checks)...)
}

// sift leaves out what a lab cannot hold, such as a zero byte in a name, and
// says why: a configuration is a stranger's.
func (c *converter) sift() {
	for {
		trial := kathara.Import{Slug: c.im.Slug, Files: maps.Clone(c.im.Files)}
		base := c.im.Files["lab.yaml"].Data
		trial.Files["lab.yaml"] = kathara.File{Data: with(base, text(c.checks))}
		_, err := labs.Load(trial.FS(), trial.Slug)
		problems, ok := errors.AsType[labs.Problems](err)
		if !ok {
			return
		}
		line := bytes.Count(with(base, ""), []byte("\n")) + 2 // of the first check, behind "checks:"
		before := len(c.checks)
		c.checks = slices.DeleteFunc(c.checks, func(k check) bool {
			first := line
			line += strings.Count(text([]check{k}), "\n") - 1
			for _, p := range problems {
				if p.Line >= first && p.Line < line {
					c.note(0, "“%s” is not taken over: %s", k.title, p.Message)
					return true
				}
			}
			return false
		})
		if len(c.checks) == before {
			return
		}
	}
}

type converter struct {
	name   string
	im     *kathara.Import
	open   func(string) ([]byte, error)
	within time.Duration
	checks []check
	notes  []kathara.Note
	names  map[string]bool
}

func (c *converter) note(line int, format string, args ...any) {
	c.notes = append(c.notes, kathara.Note{File: c.name, Line: line, Text: fmt.Sprintf(format, args...)})
}

// each goes through a mapping; a value of another kind is said.
func (c *converter) each(v value, what string, f func(e entry)) {
	if v.kind == null {
		return
	}
	if v.kind != mapping {
		c.note(v.line, "%s is not taken over: it has to be a mapping", what)
		return
	}
	for _, e := range v.keys {
		f(e)
	}
}

// words goes through a list of texts, or one text alone.
func (c *converter) words(v value, what string, f func(word string, line int)) {
	switch v.kind {
	case null:
	case scalar:
		f(v.text, v.line)
	case list:
		for _, item := range v.items {
			if item.kind != scalar {
				c.note(item.line, "%s: this item is not taken over: it has to be a text", what)
				continue
			}
			f(item.text, item.line)
		}
	default:
		c.note(v.line, "%s is not taken over: it has to be a list", what)
	}
}

// texts is words as a list.
func (c *converter) texts(v value, what string) (out []string) {
	c.words(v, what, func(w string, _ int) { out = append(out, w) })
	return out
}

// node is the node of a device, and whether the lab has it.
func (c *converter) node(device string) (string, bool) {
	if n, ok := c.im.Nodes[device]; ok {
		return n, true
	}
	return kathara.NodeName(device), false
}

// add adds a check. One about a device that the lab lacks asks for the device.
func (c *converter) add(device string, k check, words ...string) {
	node, there := c.node(device)
	if !there {
		k.kind, k.asks, k.not, k.within = "declared", ordered{{"node", node}, {"present", true}}, false, 0
	}
	k.name = c.unique(append([]string{node}, words...))
	k.title = printable(k.title)
	c.checks = append(c.checks, k)
}

// unique makes a name of words: of a-z, 0-9 and -, at most 31, no other's.
func (c *converter) unique(words []string) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, strings.Join(words, "-"))
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '-' }), "-")
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		s = "c-" + s
	}
	name := strings.Trim(s[:min(len(s), 31)], "-")
	for n := 2; c.names[name]; n++ {
		tail := "-" + strconv.Itoa(n)
		name = strings.Trim(s[:min(len(s), 31-len(tail))], "-") + tail
	}
	c.names[name] = true
	return name
}

// printable is a title of one line.
func printable(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	s = strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return -1
	}, s)
	if len(s) > 190 {
		s = strings.ToValidUTF8(s[:190], "") + "…"
	}
	return s
}

func (c *converter) top(top value) {
	for _, e := range top.keys {
		switch e.key {
		case "convergence_time":
			n, err := strconv.ParseFloat(e.text, 64)
			if err != nil || n < 0 || n > 1e6 {
				c.note(e.at, "convergence_time: %q is no number of seconds; each check waits up to %v instead", e.text, calm)
				continue
			}
			// Twice, since there it is the time after a slow start of containers.
			c.within = min(max(calm, time.Duration(2*n*float64(time.Second)).Round(time.Second)), grade.MaxWithin)
		case "structure", "lab_inline":
		case "labs_path":
			c.note(e.at, "labs_path is not used: the lab is the folder that is named")
		case "default_image":
			c.note(e.at, "default_image is not used: lab.conf says each machine's image, and Patchbay's own is there otherwise")
		case "test":
		default:
			c.note(e.at, "%s is not known, and not taken over", e.key)
		}
	}
	c.structure(top)
	tests := map[string]func(entry){
		"requiring_startup": c.startup, "ipv6_enabled": c.ipv6, "sysctls": c.sysctls, "ip_mapping": c.addresses, "daemons": c.daemons,
		"reachability": c.reach, "kernel_routes": c.routes, "bridges": c.bridges, "custom_commands": c.commands,
		"protocols":    func(e entry) { c.each(e.value, e.key, c.protocol) },
		"applications": func(e entry) { c.applications(e.value, top.get("test").get("ip_mapping")) },
	}
	c.each(top.get("test"), "test", func(e entry) {
		if f, ok := tests[e.key]; ok {
			f(e)
			return
		}
		c.note(e.at, "test.%s is not known, and not taken over", e.key)
	})
}

// structure is the lab.conf that says which devices and cables there are to be.
func (c *converter) structure(top value) {
	file, line, data := c.name, top.get("lab_inline").line, []byte(top.get("lab_inline").text)
	if s := top.get("structure"); len(data) == 0 && s.kind == scalar {
		// The checker looks beside the configuration; its exercises name it from
		// the folder above.
		dir := path.Dir(c.name)
		var err error
		for _, file = range []string{path.Join(dir, s.text), path.Join(dir, "..", s.text), path.Join(dir, path.Base(s.text))} {
			if data, err = c.open(file); err == nil {
				break
			}
		}
		if line = 0; err != nil {
			c.note(s.line, "structure: %v; so nothing asks whether the lab has all devices and cables", err)
			return
		}
	}
	if len(data) == 0 {
		c.note(top.line, "there is neither structure nor lab_inline, so nothing asks whether the lab has all devices and cables")
		return
	}
	conf, notes, err := kathara.ReadConf(file, data)
	if err != nil {
		c.note(line, "the structure is not taken over: %v", err)
		return
	}
	c.notes = append(c.notes, notes...)
	for _, d := range conf.Devices {
		node, _ := c.node(d.Name)
		c.add(d.Name, check{title: "The lab has the device " + d.Name, kind: "declared", asks: ordered{{"node", node}, {"present", true}}}, "present")
		for _, f := range d.Interfaces {
			segment, ok := c.im.Segments[f.Domain]
			if !ok {
				segment = kathara.SegmentName(f.Domain)
			}
			name := "eth" + strconv.Itoa(f.Number)
			c.add(d.Name, check{title: fmt.Sprintf("%s of %s is on %s", name, d.Name, f.Domain), kind: "declared",
				asks: ordered{{"node", node}, {"present", true}, {"on", ordered{{name, segment}}}}}, name, "on", f.Domain)
		}
	}
}

// fit puts pings of a node together when there are too many checks for a lab.
func (c *converter) fit() {
	for len(c.checks) > grade.MaxChecks {
		at := map[string][]int{}
		most := ""
		for i, k := range c.checks {
			if k.kind == "reach" && !k.not {
				n := k.asks[0].value.(string)
				if at[n] = append(at[n], i); len(at[n]) > 1 && (most == "" || len(at[n]) > len(at[most])) {
					most = n
				}
			}
		}
		if most == "" {
			return
		}
		first := &c.checks[at[most][0]]
		var to []string
		for _, i := range at[most] {
			to = append(to, c.checks[i].asks[1].value.([]string)...)
		}
		first.asks = ordered{{"node", most}, {"to", to}}
		first.points, first.title = len(to), fmt.Sprintf("%s reaches %d addresses", most, len(to))
		for _, i := range slices.Backward(at[most][1:]) {
			c.checks = slices.Delete(c.checks, i, i+1)
		}
		c.note(0, "a lab has at most %d checks, so all that %s is to reach is one, worth %d points", grade.MaxChecks, most, len(to))
	}
}
