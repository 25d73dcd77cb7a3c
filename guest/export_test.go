package guest

// What the tests see of the inside.

type (
	Tail = tail
)

// CommandLine builds a command line for a guest whose files have these names.
func CommandLine(c *Config, kernel, initrd, image, disk, modules string, nets []string, lines []int, agent int, pairs ...int) ([]string, error) {
	return commandLine(c, view{kernel: kernel, initrd: initrd, image: image, disk: disk, modules: modules,
		nets: nets, scratch: "/run", notify: "/run/notify", lines: lines, agent: agent, pairs: pairs})
}

var (
	PlainLines      = plainLines
	CheckMAC        = checkMAC
	MconsoleRequest = mconsoleRequest
)

func (t *tail) Write(p []byte) { t.write(p) }
func (t *tail) Bytes() []byte  { return t.bytes() }

// ParseReply reads one datagram of an mconsole's answer.
func ParseReply(b []byte) (failed, more bool, text []byte, err error) {
	r, err := parseMconsoleReply(b)
	return r.failed, r.more, r.text, err
}

// ParseNotification reads a datagram that a kernel sends by itself.
func ParseNotification(b []byte) (kind uint32, text []byte, err error) {
	n, err := parseNotification(b)
	return n.kind, n.text, err
}

// Limits of the protocol and of what is remembered.
const (
	MconsoleText = mconsoleText
	TailBytes    = tailBytes
)

// MconsoleSocket is the path of a guest's mconsole as the host could see it,
// for tests that put something else there.
func (g *Guest) Scratch() int { return int(g.jail.scratch.Fd()) }
