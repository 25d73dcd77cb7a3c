package engine

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/labs/grade"
)

const maxLook = 4 << 20 // bytes of a file

func evalFile(ctx context.Context, t Target, k *grade.File) (verdict, error) {
	d, err := t.Disk(ctx, k.Node)
	if err == nil {
		defer d.Close()
		if k.Enabled != "" {
			return evalEnabled(ctx, d, k)
		}
		var e Entry
		if e, err = d.Look(ctx, k.Path, lookLimit(k)); err == nil {
			return judgeFile(k, &e)
		}
	}
	return verdict{}, err
}

// lookLimit is how much of a file is read: as evidence, even where only its
// properties count.
func lookLimit(k *grade.File) int {
	if k.Content() {
		return maxLook
	}
	return 16 << 10
}

func judgeFile(k *grade.File, e *Entry) (verdict, error) {
	if e.Trouble != "" {
		return verdict{}, &Unreadable{k.Node, k.Path + ": " + e.Trouble}
	}
	v := judgeEntry(k, e)
	if e.Kind == "file" {
		ev := textEvidence(k.Path, e.Data)
		ev.Cut = ev.Cut || e.Size > int64(len(e.Data))
		v.evidence = append(v.evidence, ev)
	} else if e.Kind == "directory" {
		v.evidence = append(v.evidence, textEvidence(k.Path, []byte(printableLines(e.Names))))
	}
	return v, nil
}

func judgeEntry(k *grade.File, e *Entry) verdict {
	dangling := !e.Exists && e.Link != ""
	if k.Absent {
		if e.Exists || dangling {
			return failed("there is a %s", kindOf(e))
		}
		return passed("there is none")
	}
	if !e.Exists && !(dangling && (k.Kind == "link" || k.Link != "")) {
		if dangling {
			return failed("it is a link to %s, where nothing is", quote(e.Link))
		}
		return failed("there is no %s", k.Path)
	}
	wrong := properties(k, e)
	if len(wrong) == 0 && k.Content() {
		if e.Kind != "file" && !(e.Kind == "directory" && onlyLacks(k)) {
			wrong = append(wrong, "it is a "+kindOf(e)+" and has no content")
		} else {
			wrong = append(wrong, content(k, e)...)
		}
	}
	v := passed("it is a %s of %d bytes, mode %04o, of user %d and group %d", kindOf(e), e.Size, e.Mode, e.UID, e.GID)
	if len(wrong) > 0 {
		v = failed("%s", strings.Join(wrong, "; "))
	}
	return v
}

func kindOf(e *Entry) string {
	if e.Link != "" && e.Kind != "link" {
		return "link to a " + e.Kind
	}
	return e.Kind
}

func printableLines(names []string) string {
	var b strings.Builder
	for _, n := range names {
		b.WriteString(printable(n) + "\n")
	}
	return b.String()
}

// properties says what is wrong besides the content.
func properties(k *grade.File, e *Entry) (wrong []string) {
	miss := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if k.Kind != "" && k.Kind != e.Kind && !(k.Kind == "link" && e.Link != "") {
		miss("it is a %s", kindOf(e))
	}
	if k.Link != "" && k.Link != e.Link {
		if e.Link == "" {
			miss("it is no link")
		} else {
			miss("it leads to %s", quote(e.Link))
		}
	}
	if mode, err := strconv.ParseUint(k.Mode, 8, 32); k.Mode != "" && (err != nil || uint32(mode) != e.Mode) {
		miss("its mode is %04o", e.Mode)
	}
	if k.Owner != nil && *k.Owner != e.UID {
		miss("it belongs to user %d", e.UID)
	}
	if k.Group != nil && *k.Group != e.GID {
		miss("it belongs to group %d", e.GID)
	}
	if e.Size < k.MinSize || k.MaxSize != nil && e.Size > *k.MaxSize {
		miss("it has %d bytes", e.Size)
	}
	if k.Changed != nil && *k.Changed != e.Changed {
		miss("it %s", map[bool]string{true: "differs from the image's", false: "is as the image has it"}[e.Changed])
	}
	for _, name := range k.Names {
		if !hasName(e.Names, name) {
			miss("it does not hold %s", quote(name))
		}
	}
	if e.Kind == "directory" {
		for _, name := range k.Lacks {
			if hasName(e.Names, name) {
				miss("it holds %s", quote(name))
			}
		}
	}
	return wrong
}

func onlyLacks(k *grade.File) bool {
	rest := *k
	rest.Lacks = nil
	return !rest.Content()
}

func hasName(names []string, pattern string) bool {
	for _, n := range names {
		if ok, err := path.Match(pattern, n); n == pattern || ok && err == nil {
			return true
		}
	}
	return false
}

var startLink = regexp.MustCompile(`^S[0-9][0-9](.+)$`)

// evalEnabled looks for the link that starts a service.
func evalEnabled(ctx context.Context, d Disk, k *grade.File) (verdict, error) {
	const dir = "/etc/rc2.d"
	e, err := d.Look(ctx, dir, 0)
	if err != nil {
		return verdict{}, err
	}
	if e.Trouble != "" {
		return verdict{}, &Unreadable{k.Node, dir + ": " + e.Trouble}
	}
	for _, n := range e.Names {
		m := startLink.FindStringSubmatch(n)
		if m == nil || m[1] != k.Enabled {
			continue
		}
		s, err := d.Look(ctx, dir+"/"+n, 0)
		switch {
		case err != nil:
			return verdict{}, err
		case s.Trouble != "":
			return verdict{}, &Unreadable{k.Node, dir + "/" + n + ": " + s.Trouble}
		case !s.Exists || s.Kind != "file":
			return failed("%s/%s leads to %s, where no script is", dir, n, quote(s.Link)), nil
		case s.Mode&0o100 == 0:
			return failed("%s/%s leads to a script that root cannot execute", dir, n), nil
		}
		return passed("%s/%s starts it", dir, n), nil
	}
	v := failed("no link in %s starts it", dir)
	v.evidence = append(v.evidence, textEvidence(dir, []byte(printableLines(e.Names))))
	return v, nil
}
