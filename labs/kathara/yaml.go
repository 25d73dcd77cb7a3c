package kathara

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// markdown are the signs that mean something in a list of a description.
var markdown = regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|!~&@]")

var plainRE = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9 /._+=~%<>$|;,()-]*$`)

// scalar writes a text as YAML: plain where that is safe, else in quotes.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "", "true", "false", "yes", "no", "on", "off", "null", "y", "n":
	default:
		if plainRE.MatchString(s) && strings.TrimSpace(s) == s && !strings.Contains(s, " #") && len(s) < 400 {
			return s
		}
	}
	var b strings.Builder
	e := json.NewEncoder(&b) // a JSON string is one of YAML's
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // of a string it cannot fail
	return strings.TrimSpace(b.String())
}

// yaml writes the lab.yaml.
func (c *converter) yaml() []byte {
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	put("# Made from a lab.conf of %s.", c.conf.Dialect)
	put("title: %s", scalar(c.title()))
	if s := c.summary(); s != "" {
		put("summary: %s", scalar(s))
	}
	if s := c.author(); s != "" {
		put("author: %s", scalar(s))
	}
	if len(c.notes) > 0 {
		put("description: |")
		put("  Taken over from %s. What is not, or is different:\n", c.conf.Dialect)
	}
	const most = 60 // of what a page of a lab may say
	for i, n := range c.notes {
		if i == most {
			put("  - and %d more, which “patchbay import” lists", len(c.notes)-most)
			break
		}
		put("  - %s", markdown.ReplaceAllString(n.String(), `\$0`))
	}
	put("\nnodes:")
	for _, n := range c.nodes {
		put("  %s:", n.name)
		if n.memory > 0 {
			put("    memory: %dM", n.memory)
		}
		if len(n.interfaces) > 0 {
			put("    interfaces:")
		}
		for _, i := range n.interfaces {
			switch {
			case i.Domain == "":
				put("      eth%d:", i.Number)
			case i.MAC != "":
				put("      eth%d: {segment: %s, mac: %q}", i.Number, c.segments[i.Domain], i.MAC)
			default:
				put("      eth%d: %s", i.Number, c.segments[i.Domain])
			}
		}
		if len(n.sysctls) > 0 {
			put("    sysctls:")
		}
		for _, s := range n.sysctls {
			value := s.Value
			if !numberRE.MatchString(value) {
				value = scalar(value)
			}
			put("      %s: %s", s.Name, value)
		}
		if len(n.startup) > 0 {
			put("    startup:")
		}
		for _, s := range n.startup {
			for _, line := range s.comments {
				put("      %s", line)
			}
			put("      - %s", scalar(s.text))
		}
		if len(n.publish) > 0 {
			put("    publish: [%s]", strings.Join(n.publish, ", "))
		}
		if len(n.interfaces)+len(n.sysctls)+len(n.startup)+len(n.publish) == 0 && n.memory == 0 {
			b.WriteString("    interfaces: {}\n")
		}
	}
	kind := "switch"
	if c.conf.Dialect == Netkit {
		kind = "hub"
	}
	if len(c.domains) > 0 {
		put("\nsegments:")
	}
	for _, d := range c.domains {
		put("  %s: %s", c.segments[d], kind)
	}
	return []byte(b.String())
}
