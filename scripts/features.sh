# What tests and lints are built with besides the defaults: the providers that a demo does without.
features=signpost-controller/aws,signpost-controller/gcp
