package main

import (
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
)

// Files are written to a fresh disk alone: later the student may have changed
// them.

// writeFiles writes the lab's, which a shell may read as it starts.
func (g *guest) writeFiles() {
	for _, f := range g.machine.Files {
		if !strings.HasPrefix(f.Path, "/") {
			g.warnings = append(g.warnings, "writing "+f.Path+": the path is not absolute")
			continue
		}
		g.warn("writing "+f.Path, writeFile(f.Path, f.Mode, f.Data))
	}
}

// writeNames writes the machine's name and its neighbours', unless the lab has
// files of its own for that.
func (g *guest) writeNames() {
	g.writeDefault("/etc/hostname", []byte(g.machine.Hostname+"\n"))
	g.writeDefault("/etc/hosts", hostsFile(g.machine))
}

func (g *guest) writeDefault(path string, data []byte) {
	for _, f := range g.machine.Files {
		if f.Path == path {
			return
		}
	}
	g.warn("writing "+path, writeFile(path, 0o644, data))
}

func hostsFile(m agent.Machine) []byte {
	b := []byte("127.0.0.1\tlocalhost\n127.0.1.1\t" + m.Hostname + "\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	for _, h := range m.Hosts {
		b = append(b, h.Address...)
		b = append(b, '\t')
		b = append(b, strings.Join(h.Names, " ")...)
		b = append(b, '\n')
	}
	return b
}
