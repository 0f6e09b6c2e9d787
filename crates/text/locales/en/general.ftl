# Area: general
# Words that every page shares.
version = version
name = Name
email = E-mail
password = Password
language = Language
group = Group
save = Save
cancel = Cancel
back = Back
search = Search
actions = Actions
theme = Appearance
theme-auto = Same appearance as the system
theme-light = Light appearance
theme-dark = Dark appearance
skip-to-content = Skip to content
sign-in = Sign in
sign-out = Sign out
signed-in-as = Signed in as
centre = Administration Centre
paging = Pages
paging-of = { $first }–{ $last } of { $total }
paging-before = Previous
paging-after = Next
