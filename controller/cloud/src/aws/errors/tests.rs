//! What refusals mean.

use super::*;

#[test]
fn codes_mean_what_the_engine_acts_on() {
    for (status, code, message, expected) in [
        (400, "RouteAlreadyExists", "", Kind::AlreadyExists),
        (400, "InvalidRoute.NotFound", "", Kind::NotFound),
        (400, "InvalidRouteTableID.NotFound", "", Kind::NotFound),
        (
            400,
            "InvalidNetworkInterfaceID.NotFound",
            "",
            Kind::NotFound,
        ),
        (
            400,
            "InvalidParameterValue",
            "There is no route defined for '10.0.0.0/24' in the route table.",
            Kind::NotFound,
        ),
        (400, "InvalidParameterValue", "bad", Kind::Invalid),
        (400, "RouteLimitExceeded", "", Kind::QuotaExceeded),
        (503, "RequestLimitExceeded", "", Kind::Throttled),
        (503, "EC2ThrottledException", "", Kind::Throttled),
        (400, "Throttling", "", Kind::Throttled),
        (403, "UnauthorizedOperation", "", Kind::Denied),
        (400, "AccessDeniedException", "", Kind::Denied),
        (401, "AuthFailure", "", Kind::Denied),
        (400, "RequestExpired", "", Kind::Denied),
        (400, "SomethingNew", "", Kind::Invalid),
        (429, "SomethingNew", "", Kind::Throttled),
        (500, "InternalError", "", Kind::Unknown),
        (503, "Unavailable", "", Kind::Unknown),
        (200, "", "", Kind::Unknown),
    ] {
        assert_eq!(kind(status, code, message), expected, "{status} {code}");
    }
}

#[test]
fn the_encoded_part_of_a_denial_is_left_out() {
    let message = "You are not authorized to perform this operation. User: u is not \
                   authorized to perform: ec2:CreateRoute. Encoded authorization failure \
                   message: AAAA";
    let text = shorten("UnauthorizedOperation", message);
    assert!(text.ends_with("perform: ec2:CreateRoute."), "{text}");
}

#[test]
fn what_is_absent_is_read_from_the_message() {
    let ids: Vec<Arc<str>> = ["i-0a", "i-0ab", "i-0c"].map(Arc::from).into();
    let absent = |detail: &str| {
        let error = CloudError::new(Kind::NotFound, detail);
        let mut absent: Vec<_> = absent(&error, &ids).into_iter().collect();
        absent.sort();
        absent.join(" ")
    };
    let said = "DescribeInstances: InvalidInstanceID.NotFound: The instance IDs 'i-0ab, i-0c' do not exist";
    assert_eq!(absent(said), "i-0ab i-0c");
    assert_eq!(
        absent("InvalidInstanceID.Malformed: Invalid id: \"i-0a\""),
        "i-0a"
    );
    assert_eq!(absent("InternalError: i-0a"), "");
}

#[test]
fn a_denial_names_resource_and_tag_unless_no_tag_would_help() {
    let about = About {
        resource: "rtb-1",
        tag: "kubernetes.io/cluster/blue",
    };
    let text = denied(Action::CreateRoute, Some(about), "no identity-based policy");
    for part in ["ec2:CreateRoute", "rtb-1", "kubernetes.io/cluster/blue"] {
        assert!(text.contains(part), "{text}");
    }
    let said = "with an explicit deny in a service control policy";
    let text = denied(Action::CreateRoute, Some(about), said);
    assert!(!text.contains("tag"), "{text}");
}

#[test]
fn long_messages_are_cut_between_characters() {
    let text = clip("é".repeat(LONGEST + 1));
    assert_eq!(text.chars().count(), LONGEST + 1);
}
