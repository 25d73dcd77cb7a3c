package kernel

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/patchbay/patchbay/guest/apt"
)

// oldest is the first linux that knows seccomp=on.
const oldest = "6.16"

var sourcePackage = regexp.MustCompile(`^linux-source-[0-9]+\.[0-9]+$`)

// newest picks the linux-source with the highest version of linux, at least
// oldest. Of equal ones the first listed wins, which is that of the suite named
// first.
func newest(offered []apt.Version) (pick apt.Version, version string, err error) {
	for _, v := range offered {
		u := upstream(v.Version)
		if !sourcePackage.MatchString(v.Package) || compareVersions(u, oldest) < 0 {
			continue
		}
		if version == "" || compareVersions(u, version) > 0 {
			pick, version = v, u
		}
	}
	if version == "" {
		return pick, "", fmt.Errorf("none of the %d kernel sources offered is linux %s or newer: does the mirror carry these suites?", len(offered), oldest)
	}
	return pick, version, nil
}

// upstream takes Debian's epoch and revision off a version: "7.3.4-1~bpo13+1"
// is linux 7.3.4.
func upstream(debian string) string {
	if _, rest, ok := strings.Cut(debian, ":"); ok {
		debian = rest
	}
	if i := strings.LastIndexByte(debian, '-'); i >= 0 {
		debian = debian[:i]
	}
	return debian
}

// compareVersions orders versions of linux. A release candidate, 7.4~rc1, comes
// before its release.
func compareVersions(a, b string) int {
	a, acand, aisCand := strings.Cut(a, "~")
	b, bcand, bisCand := strings.Cut(b, "~")
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := cmp.Compare(part(as, i), part(bs, i)); c != 0 {
			return c
		}
	}
	switch {
	case aisCand && bisCand:
		return cmp.Compare(acand, bcand)
	case aisCand:
		return -1
	case bisCand:
		return 1
	}
	return 0
}

func part(s []string, i int) int {
	if i >= len(s) {
		return 0
	}
	n, _ := strconv.Atoi(s[i])
	return n
}
