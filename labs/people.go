package labs

import (
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Role is what a person may do in the whole installation. Staff of a course
// is said by their Enrolment, not by their Role.
type Role string

// The roles, each including the ones below it.
const (
	Admin      Role = "admin"      // everything
	Instructor Role = "instructor" // makes courses
	Student    Role = "student"    // takes labs
)

// Valid says whether r is one of the roles.
func (r Role) Valid() bool { return r == Admin || r == Instructor || r == Student }

// User is a person who can log in. Their password's hash is never in here.
type User struct {
	ID        int64
	Login     string // unique, lower case
	Name      string // as they want to be called
	Email     string // may be empty
	Role      Role
	Disabled  bool  // may not log in; what they did stays
	Epoch     int64 // grows when every session of this user must end: put it into the session, compare on each request
	CreatedAt time.Time
}

// Course is a group of people and the labs they take.
type Course struct {
	ID        int64
	Title     string
	JoinCode  string // who has it can enrol; empty when closed
	CreatedAt time.Time
}

// Enrolment puts a user into a course.
type Enrolment struct {
	CourseID  int64
	UserID    int64
	Staff     bool  // teaches it, sees everybody's racks
	SectionID int64 // 0: in none
	CreatedAt time.Time
}

// MyCourse is a course as one of its members sees it.
type MyCourse struct {
	Course
	Staff bool
}

// Member is a user as a course sees them.
type Member struct {
	User
	Staff     bool
	SectionID int64 // 0: in none
}

// CourseLab puts a lab into a course, at a place in its order.
type CourseLab struct {
	CourseID int64
	Slug     string
	Position int // from 0
}

// RackRecord says that a user has, or had, a rack for a lab. The rack itself
// is a process and a folder; this is how it is found.
type RackRecord struct {
	ID string // see NewRackID
	RackFor
	LabDigest string // the lab's version that the rack was made from
	CreatedAt time.Time
}

// RackFor is whose rack, and what for. There is one rack for each: to practise
// a lab, to work on an assignment alone or as a team, to look at a submission.
type RackFor struct {
	UserID       int64 // who began it
	LabSlug      string
	AssignmentID int64 // 0: practice
	TeamID       int64 // of an assignment; all members own the rack
	SubmissionID int64 // a submission that staff opened again; AssignmentID is 0
}

// APIToken lets a script act as a user. The token itself is shown once; only
// its hash is kept.
type APIToken struct {
	ID        int64
	UserID    int64
	Name      string // what it is for
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	LastUsed  time.Time // zero: never; exact to a minute
}

// OneTimeLink is a link with which a user sets their password: an invitation
// or a reset. It works once. The secret in it is shown once; only its hash is kept.
type OneTimeLink struct {
	ID        int64
	UserID    int64
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Limits of what people type about themselves and their courses, in characters.
const (
	MaxNameLen  = 100
	MaxTitleLen = 150
)

var loginRE = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// CleanUser trims and checks what can be typed of a user, in place. The error
// has code Invalid.
func CleanUser(u *User) error {
	u.Login = strings.ToLower(strings.TrimSpace(u.Login))
	u.Name = strings.Join(strings.Fields(u.Name), " ")
	u.Email = strings.TrimSpace(u.Email)
	if u.Name == "" {
		u.Name = u.Login
	}
	if !loginRE.MatchString(u.Login) {
		return Errorf(Invalid, "A login is 1 to 64 of a-z, 0-9, “.”, “_”, “-” and “@”, and starts with a letter or a digit.")
	}
	if !printable(u.Name) || utf8.RuneCountInString(u.Name) > MaxNameLen {
		return Errorf(Invalid, "A name is at most %d printable characters.", MaxNameLen)
	}
	if u.Email != "" {
		if a, err := mail.ParseAddress(u.Email); err != nil || a.Address != u.Email || len(u.Email) > 254 {
			return Errorf(Invalid, "%q is not an e-mail address.", u.Email)
		}
	}
	if !u.Role.Valid() {
		return Errorf(Invalid, "%q is not a role: choose admin, instructor or student.", u.Role)
	}
	return nil
}

// CleanCourseTitle trims and checks a course's title. The error has code Invalid.
func CleanCourseTitle(title string) (string, error) {
	title = strings.Join(strings.Fields(title), " ")
	if title == "" || !printable(title) || utf8.RuneCountInString(title) > MaxTitleLen {
		return "", Errorf(Invalid, "A course needs a title of at most %d printable characters.", MaxTitleLen)
	}
	return title, nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
