//! The central router: routes in the kernel of the machine that runs the controller.
