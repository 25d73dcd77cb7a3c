package lint

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// told is what is wrong with a line of a block.
type told struct {
	line      int
	text, fix string
}

// prompts match a line after which another program reads what is typed.
var prompts = regexp.MustCompile(`^\s*(sudo\s+)?(vtysh|birdc6?|python3?|nslookup|(ftp|telnet|nc|socat|openssl s_client|ssh|sqlite3|swanctl --interactive|nft -i|bash|sh|cat\s*>)(\s[^|;&<]*)?|(ip netns|ip vrf) exec \S+ (ba)?sh)\s*$`)

// typed looks at a block that is typed on the machine. What is typed into another
// program than the shell is passed over, in later blocks too, until “exit” or
// “quit” stands alone on a line.
func (m *machine) typed(b block) []told {
	var out []told
	var shell []string // lines for the shell; empty where another program reads
	for line := range strings.Lines(b.text) {
		line = strings.TrimRight(line, "\n")
		word := strings.TrimSpace(line)
		switch {
		case m.inside:
			m.leave(word)
			line = ""
		case prompts.MatchString(line):
			m.inside = true
		}
		shell = append(shell, line)
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(strings.Join(shell, "\n")+"\n"), "")
	if err != nil {
		pe, ok := errors.AsType[syntax.ParseError](err)
		if !ok {
			return nil
		}
		return []told{{b.line + int(pe.Pos.Line()) - 1, "the shell cannot read this: " + pe.Text,
			"a block is typed as it stands; what a student is to fill in goes into the text, or into a block without a node"}}
	}
	// Lines that a program at its prompt reads may follow one another in blocks
	// that do not say so: after “cat > file” nothing ends with the block.
	if strings.HasPrefix(strings.TrimSpace(b.text), "cat >") {
		m.inside = false
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		if f, ok := n.(*syntax.FuncDecl); ok {
			m.functions[f.Name.Value] = true
		}
		return true
	})
	syntax.Walk(file, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok {
			for _, text := range m.call(c.Args) {
				out = append(out, told{b.line + int(c.Pos().Line()) - 1, text, "use what is there (see the image's recipe), or have the lab bring it"})
			}
		}
		return true
	})
	return out
}

// leave follows a line that another program than the shell reads. Within the
// configuration of a router “exit” goes up a level and “end” leaves it.
func (m *machine) leave(word string) {
	switch first, _, _ := strings.Cut(word, " "); {
	case first == "configure" || first == "conf":
		m.configuring = true
	case word == "end":
		m.configuring = false
	case word == "exit" || word == "quit":
		m.inside = m.configuring
	}
}

// carriers run the command that stands behind their own options.
var carriers = set("sudo env timeout nice nohup watch xargs exec command strace setsid stdbuf ionice time")

// call looks at one command, and at the one that it carries.
func (m *machine) call(args []*syntax.Word) (out []string) {
	var words []string
	for _, a := range args {
		words = append(words, a.Lit()) // empty where the shell puts something in
	}
	if len(words) == 0 || words[0] == "" {
		return nil
	}
	name := words[0]
	if !m.has(name) {
		return []string{fmt.Sprintf("%s is not in the image %s", name, m.image)}
	}
	service := ""
	switch {
	case name == "service" && len(words) > 1:
		service = words[1]
	case name == "systemctl" && len(words) > 2:
		service = words[len(words)-1]
	case carriers[name]:
		for i := 1; i < len(args); i++ {
			w := words[i]
			if w == "" || strings.HasPrefix(w, "-") || strings.Contains(w, "=") || strings.Trim(w, "0123456789.smhd") == "" {
				continue
			}
			if strings.HasPrefix(words[i-1], "-") && !m.has(w) {
				continue // an option's value
			}
			return m.call(args[i:])
		}
	case name == "ip" && len(words) > 4 && words[2] == "exec" && (words[1] == "netns" || words[1] == "vrf"):
		return m.call(args[4:])
	}
	service = strings.TrimSuffix(service, ".service")
	if before, _, ok := strings.Cut(service, "@"); ok {
		service = before
	}
	if service != "" && !strings.HasPrefix(service, "-") && !m.programs.Services[service] && !m.own["/etc/init.d/"+service] {
		out = append(out, fmt.Sprintf("there is no service %s in the image %s", service, m.image))
	}
	return out
}
