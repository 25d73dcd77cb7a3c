package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// No Docker engine builds the Dockerfile here, so this holds it against what is
// tried every day: the Makefile, the list of packages, go.mod.
func TestDockerfile(t *testing.T) {
	const root = "../.."
	dockerfile := readText(t, filepath.Join(root, "Dockerfile"))
	makefile := readText(t, filepath.Join(root, "Makefile"))
	dockerfile = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(dockerfile, "")
	// A continued instruction is one line.
	dockerfile = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(dockerfile, " ")

	t.Run("make targets", func(t *testing.T) {
		targets := regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatch(makefile, -1)
		var have, used []string
		for _, m := range targets {
			have = append(have, m[1])
		}
		for _, m := range regexp.MustCompile(`\bmake ([a-z ]+)`).FindAllStringSubmatch(dockerfile, -1) {
			used = append(used, strings.Fields(m[1])...)
		}
		for _, target := range []string{"setup", "build", "kernel", "image"} {
			if !slices.Contains(used, target) {
				t.Errorf("the Dockerfile does not run make %s", target)
			}
		}
		for _, target := range used {
			if !slices.Contains(have, target) {
				t.Errorf("the Dockerfile runs make %s, the Makefile has only %v", target, have)
			}
		}
	})

	t.Run("packages", func(t *testing.T) {
		if strings.Contains(dockerfile, "apt-get") || strings.Contains(makefile, "apt-get") {
			t.Error("packages belong into deploy/packages.txt, which deploy/setup installs; found an apt-get")
		}
		if !strings.Contains(makefile, "deploy/setup") {
			t.Error("make setup does not call deploy/setup")
		}
		purposes := map[string]bool{}
		for _, p := range readPackages(t, root) {
			purposes[p.purpose] = true
		}
		for _, m := range regexp.MustCompile(`(?:deploy/setup |USE=)([a-z]+)`).FindAllStringSubmatch(dockerfile, -1) {
			if !purposes[m[1]] {
				t.Errorf("the Dockerfile installs packages for %q, of which the list has none", m[1])
			}
			delete(purposes, m[1])
		}
		delete(purposes, "test")
		delete(purposes, "bench")
		for p := range purposes {
			t.Errorf("the Dockerfile installs no packages for %q", p)
		}
	})

	t.Run("binaries", func(t *testing.T) {
		built := regexp.MustCompile(`-o (bin/[a-z]+) \./cmd/`).FindAllStringSubmatch(makefile, -1)
		if len(built) == 0 {
			t.Fatal("the Makefile builds no binaries")
		}
		for _, m := range built {
			if !strings.Contains(dockerfile, "/src/"+m[1]) {
				t.Errorf("the Dockerfile does not take over %s", m[1])
			}
		}
	})

	t.Run("Go", func(t *testing.T) {
		from := regexp.MustCompile(`(?m)^FROM golang:([0-9.]+)-`).FindStringSubmatch(dockerfile)
		mod := regexp.MustCompile(`(?m)^go ([0-9]+\.[0-9]+)`).FindStringSubmatch(readText(t, filepath.Join(root, "go.mod")))
		if from == nil || mod == nil || !strings.HasPrefix(from[1], mod[1]) {
			t.Errorf("the Dockerfile builds with Go %v, go.mod asks for %v", from, mod)
		}
	})

	t.Run("user", func(t *testing.T) {
		last := dockerfile[strings.LastIndex(dockerfile, "FROM "):]
		user := regexp.MustCompile(`(?m)^USER (\S+)`).FindStringSubmatch(last)
		if user == nil || user[1] == "root" || user[1] == "0" {
			t.Errorf("the last stage runs as %v, want an ordinary user", user)
		}
	})
}

// TestPackages holds the list of packages against Debian's idea of a name and
// against the programs that the builds call.
func TestPackages(t *testing.T) {
	const root = "../.."
	packages := readPackages(t, root)
	for i, p := range packages {
		if !regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`).MatchString(p.name) {
			t.Errorf("%q is no name of a package", p.name)
		}
		if !slices.Contains([]string{"build", "test", "run", "bench"}, p.purpose) {
			t.Errorf("%s is for %q, want build, test, run or bench", p.name, p.purpose)
		}
		if p.why == "" {
			t.Errorf("%s: say why", p.name)
		}
		if slices.ContainsFunc(packages[:i], func(q listed) bool { return q.name == p.name }) {
			t.Errorf("%s comes twice", p.name)
		}
	}
	calls := regexp.MustCompile(`exec\.Command(?:Context)?\((?:ctx, )?"([a-z0-9-]+)"`)
	// What every Debian has, in packages marked essential or with apt and dpkg.
	given := []string{"tar", "ldd", "make", "strip", "true"}
	from := map[string]string{
		"mmdebstrap": "mmdebstrap", "sqfstar": "squashfs-tools", "mksquashfs": "squashfs-tools",
		"patch": "patch", "dpkg-deb": "", "apt-get": "", "apt-config": "", "apt-cache": "",
	}
	for _, dir := range []string{"guest/kernel", "guest/image", "guest/apt"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no source in %s (%v)", dir, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			for _, m := range calls.FindAllStringSubmatch(readText(t, f), -1) {
				pkg, known := from[m[1]]
				switch {
				case slices.Contains(given, m[1]):
				case !known:
					t.Errorf("%s calls %s: say here which package it comes from and list that", f, m[1])
				case pkg != "" && !slices.ContainsFunc(packages, func(p listed) bool { return p.name == pkg }):
					t.Errorf("%s calls %s, but %s is not in deploy/packages.txt", f, m[1], pkg)
				}
			}
		}
	}
}

// TestSetupIsIdle: on a machine that has everything set-up changes nothing and
// says nothing.
func TestSetupIsIdle(t *testing.T) {
	var missing []string
	for _, p := range readPackages(t, "../..") {
		if p.purpose == "bench" {
			continue // set up by make bench alone
		}
		if p.unless != "-" {
			if _, err := exec.LookPath(p.unless); err == nil {
				continue
			}
		}
		if err := exec.Command("dpkg-query", "-W", p.name).Run(); err != nil {
			missing = append(missing, p.name)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("run make setup first: %v are missing", missing)
	}
	out, err := exec.Command("../../deploy/setup").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("deploy/setup on a machine that has all packages: %v, said %q; want silence", err, out)
	}
}

type listed struct{ name, purpose, unless, why string }

func readPackages(t *testing.T, root string) []listed {
	t.Helper()
	var all []listed
	for line := range strings.Lines(readText(t, filepath.Join(root, "deploy/packages.txt"))) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) < 4 {
			t.Fatalf("deploy/packages.txt: %q has %d columns, want package, purpose, command, reason", strings.TrimSpace(line), len(f))
		}
		all = append(all, listed{f[0], f[1], f[2], strings.Join(f[3:], " ")})
	}
	if len(all) == 0 {
		t.Fatal("deploy/packages.txt lists no package")
	}
	return all
}

func readText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
