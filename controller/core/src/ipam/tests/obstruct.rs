use super::*;

#[test]
fn a_route_bars_the_blocks_that_it_overlaps() {
    let mut allocator = four_blocks();
    allocator.set_obstructions(nets(&["10.0.0.5/32", "10.0.0.32/27"]));
    assert_eq!(figures(&allocator.uses()[0]), [4, 0, 3, 0, 1]);
    assert!(allocator.is_obstructed(net("10.0.0.0/28")));
    assert!(!allocator.is_obstructed(net("10.0.0.16/28")));
    assert_eq!(take(&mut allocator, "n1"), "10.0.0.16/28");
    allocator.set_obstructions(nets(&["10.0.0.48/28"]));
    assert_eq!(take(&mut allocator, "n2"), "10.0.0.32/28");
    assert_eq!(take(&mut allocator, "n3"), "10.0.0.0/28");
}

#[test]
fn a_route_for_the_whole_pool_or_more_bars_nothing() {
    let mut allocator = four_blocks();
    allocator.set_obstructions(nets(&["10.0.0.0/26", "10.0.0.0/8", "0.0.0.0/0", "::/0"]));
    assert_eq!(allocator.uses()[0].free, 4);
    assert!(!allocator.is_obstructed(net("10.0.0.0/28")));
}

#[test]
fn a_route_for_the_only_block_of_a_pool_bars_it() {
    let mut allocator = Allocator::new(&config(vec![pool("one", "10.0.0.0/28", 28)]));
    allocator.set_obstructions(nets(&["10.0.0.0/24"]));
    assert_eq!(allocator.uses()[0].free, 1);
    allocator.set_obstructions(nets(&["10.0.0.0/28"]));
    assert_eq!(allocator.uses()[0].free, 0);
}

#[test]
fn a_held_block_counts_as_allocated_whatever_stands_in_its_way() {
    let mut allocator = four_blocks();
    allocator.claim(&node("n1"), 1, net("10.0.0.0/28"));
    allocator.set_obstructions(nets(&["10.0.0.0/28"]));
    assert_eq!(figures(&allocator.uses()[0]), [4, 1, 0, 0, 3]);
    allocator.release(&node("n1"));
    allocator.end_quarantine(net("10.0.0.0/28"));
    assert_eq!(figures(&allocator.uses()[0]), [4, 0, 1, 0, 3]);
    allocator.set_obstructions([]);
    assert_eq!(figures(&allocator.uses()[0]), [4, 0, 0, 0, 4]);
}

#[test]
fn a_quarantine_outlives_the_route() {
    let mut allocator = four_blocks();
    allocator.claim(&node("n1"), 1, net("10.0.0.0/28"));
    allocator.set_obstructions(nets(&["10.0.0.0/28"]));
    allocator.release(&node("n1"));
    allocator.set_obstructions([]);
    assert_eq!(figures(&allocator.uses()[0]), [4, 0, 1, 0, 3]);
}

#[test]
fn a_smaller_obstacle_stays_when_the_larger_one_goes() {
    let mut allocator = four_blocks();
    allocator.set_obstructions(nets(&["10.0.0.0/27", "10.0.0.4/30"]));
    allocator.claim(&node("odd"), 1, net("10.0.0.20/30"));
    allocator.set_obstructions(nets(&["10.0.0.4/30"]));
    assert_eq!(allocator.uses()[0].free, 2);
    allocator.release(&node("odd"));
    assert_eq!(allocator.uses()[0].free, 3);
}
