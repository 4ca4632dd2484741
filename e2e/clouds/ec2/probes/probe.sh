#!/bin/sh
# Asks a real AWS account what no document says and the emulator assumes. It takes the aws command with
# credentials that may make VPCs and instances, half an hour and some cents, and removes what it made.
# It prints one line for each question. An answer that differs from what stands beside it here is a
# mistake of the emulator: mend it at the place that is named.
#
#   AWS_REGION=eu-central-1 e2e/clouds/ec2/probes/probe.sh
set -u

aws() { command aws --output text --no-cli-pager "$@"; }
say() { printf '%-34s %s\n' "$1" "$2"; }
# The error code of a call that should fail, or "succeeded".
code() {
    if answer=$("$@" 2>&1); then echo succeeded; else
        echo "$answer" | sed -n 's/.*(\([A-Za-z.]*\)).*: \(.*\)/\1: \2/p'
    fi
}
route_state() {
    aws ec2 describe-route-tables --route-table-ids "$table" --query \
        "RouteTables[0].Routes[?DestinationCidrBlock=='$1'].[State,NetworkInterfaceId,InstanceId,Origin]"
}

vpc=$(aws ec2 create-vpc --cidr-block 10.0.0.0/16 --query Vpc.VpcId) || exit 1
clean() {
    [ -z "${instance:-}" ] || {
        aws ec2 terminate-instances --instance-ids "$instance" >/dev/null
        aws ec2 wait instance-terminated --instance-ids "$instance"
    }
    [ -z "${spare:-}" ] || aws ec2 delete-network-interface --network-interface-id "$spare"
    [ -z "${subnet:-}" ] || aws ec2 delete-subnet --subnet-id "$subnet"
    [ -z "${table:-}" ] || aws ec2 delete-route-table --route-table-id "$table"
    aws ec2 delete-vpc --vpc-id "$vpc"
}
trap clean EXIT
trap 'exit 130' INT TERM
subnet=$(aws ec2 create-subnet --vpc-id "$vpc" --cidr-block 10.0.1.0/24 --query Subnet.SubnetId)
table=$(aws ec2 create-route-table --vpc-id "$vpc" --query RouteTable.RouteTableId)
image=$(aws ssm get-parameter --query Parameter.Value --name \
    /aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64)
instance=$(aws ec2 run-instances --image-id "$image" --instance-type t4g.nano \
    --subnet-id "$subnet" --query 'Instances[0].InstanceId')
interface=$(aws ec2 describe-instances --instance-ids "$instance" --query \
    'Reservations[0].Instances[0].NetworkInterfaces[0].NetworkInterfaceId')
spare=$(aws ec2 create-network-interface --subnet-id "$subnet" \
    --query NetworkInterface.NetworkInterfaceId)
create() { code aws ec2 create-route --route-table-id "$table" --destination-cidr-block "$@"; }

# actions/routes.rs: RouteAlreadyExists for the second.
say 'route to a pending instance' "$(create 10.244.1.0/24 --network-interface-id "$interface")"
say 'the same route again' "$(create 10.244.1.0/24 --network-interface-id "$interface")"
# actions/routes.rs: InvalidGatewayID.NotFound.
say 'gateway "local"' "$(create 10.244.2.0/24 --gateway-id local)"
# actions/destinations.rs: accepted for a whole subnet, InvalidParameterValue within one.
say 'route equal to a subnet' "$(create 10.0.1.0/24 --network-interface-id "$interface")"
say 'route within a subnet' "$(create 10.0.1.0/25 --network-interface-id "$interface")"
# model/mod.rs: a loose interface is a blackhole that keeps its networkInterfaceId.
say 'route to a loose interface' "$(create 10.244.3.0/24 --network-interface-id "$spare")"
say '  its state' "$(route_state 10.244.3.0/24)"
# api.rs: DryRunOperation before anything else is checked?
say 'dry run' "$(create 10.244.4.0/24 --network-interface-id "$interface" --dry-run)"
say 'dry run to no interface' \
    "$(create 10.244.4.0/24 --network-interface-id eni-00000000000000000 --dry-run)"
# actions/prefix_lists.rs: none, lists of AWS do not say how many entries they may have.
say 'lists of AWS that say their size' "$(aws ec2 describe-managed-prefix-lists \
    --query 'PrefixLists[?OwnerId==`AWS` && MaxEntries!=`null`].PrefixListName')"
say 'dry run, absent interface' \
    "$(create 10.244.4.0/24 --network-interface-id eni-00000000000000000 --dry-run)"
# model/ids.rs: all absent ids are named in one message.
say 'absent instances' "$(code aws ec2 describe-instances --instance-ids \
    i-00000000000000001 i-00000000000000002)"
say 'absent interfaces' "$(code aws ec2 describe-network-interfaces --network-interface-ids \
    eni-00000000000000001 eni-00000000000000002)"

# How long reads lag behind a write: 100 samples.
late=0
for number in $(seq 100); do
    create "10.245.$number.0/24" --network-interface-id "$interface" >/dev/null
    [ -n "$(route_state "10.245.$number.0/24")" ] || late=$((late + 1))
    sleep 0.3
done
say 'routes missing from the next read' "$late of 100"

# model/mod.rs: active while stopping, blackhole once stopped; the same for terminating.
aws ec2 wait instance-running --instance-ids "$instance"
follow() {
    for _ in $(seq 40); do
        now=$(aws ec2 describe-instances --instance-ids "$instance" --query \
            'Reservations[0].Instances[0].State.Name')
        say "  $now" "$(route_state 10.244.1.0/24)"
        [ "$now" != "$1" ] || return
        sleep 3
    done
}
say 'stopping' ''
aws ec2 stop-instances --instance-ids "$instance" >/dev/null
follow stopped
say 'terminating' ''
aws ec2 terminate-instances --instance-ids "$instance" >/dev/null
follow terminated
instance=
say 'a minute later' "$(sleep 60; route_state 10.244.1.0/24)"

# quotas.rs: 500 without an increase; whether the local route counts is seen at the limit.
say 'quota' "$(aws service-quotas get-service-quota --service-code vpc \
    --quota-code L-93826ACB --query Quota.Value)"
say 'partition and denials' \
    'by hand: a policy without the tag, without the action, and a service control policy'
