package main

import (
	"strings"

	"github.com/patchbay/patchbay/guest/agent"
)

// firstBoot writes what makes a fresh disk this machine's own. Later starts
// leave it alone: by then the student may have changed it.
func (g *guest) firstBoot() {
	g.warn("writing /etc/hostname", writeFile("/etc/hostname", 0o644, []byte(g.machine.Hostname+"\n")))
	g.warn("writing /etc/hosts", writeFile("/etc/hosts", 0o644, hostsFile(g.machine)))
	for _, f := range g.machine.Files {
		if !strings.HasPrefix(f.Path, "/") {
			g.warnings = append(g.warnings, "writing "+f.Path+": the path is not absolute")
			continue
		}
		g.warn("writing "+f.Path, writeFile(f.Path, f.Mode, f.Data))
	}
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
