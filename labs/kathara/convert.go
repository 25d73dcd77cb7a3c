package kathara

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/patchbay/patchbay/labs"
)

// converter makes one lab of ours of one of theirs.
type converter struct {
	findings
	fsys     fs.FS
	slug     string
	conf     *Conf
	files    map[string]File
	nodes    []*node
	names    map[string]string // device → node
	segments map[string]string // collision domain → segment
	domains  []string          // those that somebody is on, in the order of the file
	dropped  map[string]bool   // devices that are left out
	readme   string
	read     int // bytes of files so far
}

// node is a device as it will be.
type node struct {
	device     *Device
	name       string
	quagga     bool
	memory     int // MiB; 0 for the usual
	interfaces []Interface
	sysctls    []Option
	startup    []command
	publish    []string
	files      map[string]bool // paths in the guest
}

func read(fsys fs.FS, slug string) (*Import, error) {
	c := &converter{fsys: fsys, slug: slug, files: map[string]File{}, dropped: map[string]bool{}}
	data, err := c.open("lab.conf", maxConf)
	if err != nil {
		c.bad("lab.conf", 0, "a lab of Kathará or Netkit is a folder with a lab.conf", "this %v", err)
		return nil, c.err()
	}
	conf, notes, err := ReadConf("lab.conf", data)
	if err != nil {
		return nil, err
	}
	c.conf, c.notes = conf, notes
	c.devices()
	c.dep()
	c.folder()
	for _, n := range c.nodes {
		c.fill(n)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	c.files["guide.md"] = File{Data: c.guide(true)}
	c.describe()
	im := &Import{Slug: slug, Files: c.files, Conf: conf, Nodes: c.names, Segments: c.segments}
	if err := c.try(im); err != nil {
		return nil, err
	}
	im.Notes = c.notes
	return im, nil
}

// describe writes the lab.yaml, with the notes in order of files and lines.
func (c *converter) describe() {
	slices.SortStableFunc(c.notes, func(a, b Note) int {
		if (a.File == "lab.conf") != (b.File == "lab.conf") {
			if a.File == "lab.conf" {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	c.files["lab.yaml"] = File{Data: c.yaml()}
}

// Slug is the name of the lab in a folder, or an archive, of that name.
func Slug(folder string) string {
	slug := strings.Join(strings.FieldsFunc(strings.ToLower(folder), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), "-")
	slug = strings.Trim(slug[:min(len(slug), 63)], "-")
	if slug == "" {
		return "lab"
	}
	return slug
}

// try loads what was made. Where the guide alone is at fault it goes without
// their readme, which is Markdown of somebody else's dialect.
func (c *converter) try(im *Import) error {
	_, err := labs.Load(im.FS(), im.Slug)
	ps, ok := err.(labs.Problems)
	if !ok {
		return err
	}
	guide := func(p labs.Problem) bool { return p.File == im.Slug+"/guide.md" }
	if c.readme != "" && slices.ContainsFunc(ps, guide) {
		i := slices.IndexFunc(ps, guide)
		c.note(c.readme, 0, "It is not part of the guide: %s.", ps[i].Message)
		c.files["guide.md"] = File{Data: c.guide(false)}
		c.describe()
		_, err = labs.Load(im.FS(), im.Slug)
		if ps, ok = err.(labs.Problems); !ok {
			return err
		}
	}
	for _, p := range ps { // what is said of our files is about theirs
		c.bad("lab.conf", 0, p.Fix, "made into a lab of Patchbay, %s: %s", strings.TrimPrefix(p.File, im.Slug+"/"), p.Message)
	}
	return c.err()
}

// devices decides which devices become nodes, and their names.
func (c *converter) devices() {
	if c.conf.Dialect == Netkit {
		c.netkitMachines()
	}
	for _, d := range c.conf.Devices {
		option, has := last(d, "image")
		line := d.Line
		if has {
			line = option.Line
		}
		what, why := fateOf(option.Value)
		switch {
		case what == refuse:
			c.bad("lab.conf", line, "the lab can run without the device: take its lines out", "%s has the image %s: %s", d.Name, quoted(option.Value), why)
			continue
		case what == drops:
			c.dropped[d.Name] = true
			c.note("lab.conf", line, "%s is left out: %s", d.Name, why)
			continue
		case why != "":
			c.note("lab.conf", line, "%s: %s", d.Name, why)
		}
		c.nodes = append(c.nodes, &node{device: d, quagga: what == quagga, interfaces: d.Interfaces, files: map[string]bool{}})
	}
	var names, domains []string
	for _, n := range c.nodes {
		names = append(names, n.device.Name)
		for _, i := range n.interfaces {
			if i.Domain != "" {
				domains = append(domains, i.Domain)
			}
		}
	}
	c.names, c.segments = distinct(names, NodeName), distinct(domains, SegmentName)
	for _, n := range c.nodes {
		n.name = c.names[n.device.Name]
		if n.name != n.device.Name {
			c.note("lab.conf", n.device.Line, "%s is called %s: a node's name has a-z, 0-9 and -, a letter first.", n.device.Name, n.name)
		}
	}
	for _, d := range domains {
		if !slices.Contains(c.domains, d) {
			c.domains = append(c.domains, d)
		}
	}
	if len(c.nodes) == 0 && len(c.problems) == 0 {
		c.bad("lab.conf", 0, "", "no device of this lab can run here")
	}
}

// netkitMachines leaves those that Netkit would start: machines=, or else each
// folder.
func (c *converter) netkitMachines() {
	start := c.conf.Machines
	if start == nil {
		for _, e := range c.list(".") {
			name := e.Name()
			if e.IsDir() && name != "shared" && name != "_test" && name != "CVS" && !strings.HasPrefix(name, ".") {
				start = append(start, name)
			}
		}
		for _, d := range c.conf.Devices {
			if !slices.Contains(start, d.Name) {
				start = append(start, d.Name)
				c.note("lab.conf", d.Line, "%s has no folder, so Netkit would not start it; here it is a machine.", d.Name)
			}
		}
	}
	var devices []*Device
	for _, d := range c.conf.Devices {
		if slices.Contains(start, d.Name) {
			devices = append(devices, d)
			continue
		}
		c.dropped[d.Name] = true
		c.note("lab.conf", d.Line, "%s is left out: machines= does not name it.", d.Name)
	}
	for _, name := range start {
		if !slices.ContainsFunc(devices, func(d *Device) bool { return d.Name == name }) && len(devices) < maxDevices {
			devices = append(devices, &Device{Name: name})
		}
	}
	c.conf.Devices = devices
}

// last is the value of an option that holds: the last.
func last(d *Device, name string) (o Option, ok bool) {
	for _, opt := range d.Options {
		if opt.Name == name {
			o, ok = opt, true
		}
	}
	return o, ok
}

// dep reads lab.dep.
func (c *converter) dep() {
	data, err := c.open("lab.dep", maxConf)
	if err != nil {
		return // none, which is usual
	}
	var names []string
	for _, d := range c.conf.Devices {
		names = append(names, d.Name)
	}
	if after := readDep(&c.findings, "lab.dep", data, names); len(after) > 0 {
		c.note("lab.dep", 0, "The order of starting is not taken over: all machines start at once, within a second. A startup command that needs another machine has to wait for it.")
	}
}

func (c *converter) title() string {
	for _, key := range []string{"name", "description"} {
		s := strings.TrimSpace(c.conf.Meta[key].Text)
		if s != "" && utf8.RuneCountInString(s) <= 100 {
			return s
		}
	}
	words := strings.TrimPrefix(strings.TrimPrefix(c.slug, "kathara-lab-"), "netkit-lab-")
	words = strings.TrimSpace(strings.ReplaceAll(words, "-", " "))
	if words == "" {
		words = c.slug
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

func (c *converter) summary() string {
	s := strings.TrimSpace(c.conf.Meta["description"].Text)
	if r := []rune(s); len(r) > 300 {
		s = string(r[:299]) + "…"
	}
	if s == c.title() {
		return ""
	}
	return s
}

func (c *converter) author() string {
	s := strings.TrimSpace(c.conf.Meta["author"].Text)
	if r := []rune(s); len(r) > 200 {
		s = string(r[:199]) + "…"
	}
	return s
}

// guide is their readme below the lab's title, or what lab.conf says of it.
func (c *converter) guide(readme bool) []byte {
	var b strings.Builder
	b.WriteString("# " + strings.TrimSpace(c.title()) + "\n\n")
	about := strings.TrimSpace(c.conf.Meta["description"].Text)
	if about != "" && about != c.title() {
		b.WriteString(about + "\n\n")
	}
	if c.readme != "" && readme {
		if data, err := c.open(c.readme, 400<<10); err == nil {
			b.WriteString(strings.Join(linesOf(data), "\n"))
		}
	} else {
		b.WriteString("The machines of this lab: " + strings.Join(c.nodeNames(), ", ") + ".\n\n")
		if web := c.conf.Meta["web"].Text; strings.HasPrefix(web, "http") && !strings.ContainsAny(web, " <>\"") {
			b.WriteString("The lab's home is <" + web + ">.\n")
		}
	}
	return []byte(strings.TrimSpace(b.String()) + "\n")
}

func (c *converter) nodeNames() []string {
	var names []string
	for _, n := range c.nodes {
		names = append(names, n.name)
	}
	return names
}

// open reads an ordinary file, through links within the folder.
func (c *converter) open(name string, limit int) ([]byte, error) {
	info, err := fs.Stat(c.fsys, name)
	switch {
	case err != nil:
		return nil, phrase("is not there")
	case !info.Mode().IsRegular():
		return nil, phrase("is not an ordinary file")
	case info.Size() > int64(limit):
		return nil, phrase("is larger than " + strconv.Itoa(limit>>10) + " KiB")
	}
	data, err := fs.ReadFile(c.fsys, name)
	if err != nil {
		return nil, phrase("cannot be read")
	}
	return data, nil
}

func (c *converter) list(dir string) []fs.DirEntry {
	entries, err := fs.ReadDir(c.fsys, dir)
	if err != nil {
		c.bad(path.Clean(dir), 0, "", "this folder cannot be read")
	}
	return entries
}

// phrase is an error that follows a file's name.
type phrase string

func (p phrase) Error() string { return string(p) }
