//! What would mend each reason, in words: of a service that is here, and of a blueprint that is not deployed yet.

use motey_core::reason::Code;

/// Whose reason it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of<'a> {
    /// A service: what a person types for it.
    Service(&'a str),
    /// A blueprint that is asked about.
    Blueprint,
}

/// `None`: what is to be done is said by another reason, or cannot be said before anything ran.
pub(super) fn remedy(code: Code, of: Of<'_>) -> Option<String> {
    match of {
        Of::Service(handle) => everywhere(code).map(str::to_owned).or_else(|| once_deployed(code, handle)),
        Of::Blueprint => everywhere(code).or_else(|| before(code)).map(str::to_owned),
    }
}

/// What is to be done is the same for both.
fn everywhere(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::WaitingCapability => {
            "a node has to offer what is missing: plug it in, install the plugin that reports it, or `motey capability \
             add NAME`; `motey capability list` shows what there is, and what is left of it"
        }
        Code::WaitingPort => {
            "whoever has the port has to give it up, another node has to join, or the blueprint has to name another one"
        }
        Code::CapabilityLost => {
            "what is gone has to be there again: plug it in, or look at `motey plugin list` where a plugin reports it; with \
             `on_capability_loss: move` another node may do"
        }
        Code::WaitingEngine => {
            "a plugin has to bring the engine: `motey plugin list` shows which are here, and why one is not in use"
        }
        Code::WaitingNode => {
            "a node has to be heard again, or `motey node forget NODE` gives up one that is gone for good; one that is \
             cordoned or draining takes on again after `motey node uncordon`; `motey node list` shows which operate"
        }
        Code::WaitingDependency => {
            "the image that it waits for has to come so far; where that one has a reason, that is the one to look at"
        }
        Code::EngineDown => {
            "the engine has to answer again: `motey node show` says what is wrong with it; what runs goes on meanwhile"
        }
        Code::ImageNotFound => {
            "the image has to be where the engine looks for it, under the blueprint's name"
        }
        Code::PullWaiting => "nothing has to be done: it goes on when the image is there",
        Code::PullNetwork => {
            "whoever keeps the image has to be reached from the node: look at its network, and at the name in the blueprint"
        }
        Code::PullAuth => {
            "whoever keeps the image has to be given credentials that it takes, in the engine's own settings"
        }
        Code::PullFailed => {
            "the engine has to be able to store the image: look at its disk, and at its own log"
        }
        _ => return None,
    })
}

fn once_deployed(code: Code, handle: &str) -> Option<String> {
    Some(match code {
        Code::CapabilityMoved => {
            "nothing has to be done: it is made again with its device as it is now".to_owned()
        }
        Code::WaitingAdmission => "nothing has to be done: it is offered again within seconds".to_owned(),
        Code::RestartBackoff
        | Code::HealthWaiting
        | Code::HealthFailed
        | Code::ExitCode
        | Code::ExitSignal => {
            format!("`motey service logs {handle}` shows what it wrote")
        }
        Code::ExitOom => format!(
            "it has to use less memory, or may need more: `motey service logs {handle}` shows what it did"
        ),
        Code::EngineFailed => {
            format!("`motey service events {handle}` shows every failure in the engine's words")
        }
        Code::EngineInvalid | Code::EngineUnsupported => format!(
            "the blueprint has to ask for something that the engine can do: `motey service rm {handle}`, mend it, and \
             apply it again"
        ),
        _ => return None,
    })
}

fn before(code: Code) -> Option<&'static str> {
    match code {
        Code::EngineInvalid | Code::EngineUnsupported => {
            Some("the blueprint has to ask for something that the engine can do")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_remedy_or_another_that_has() {
        let without = |code: &&Code| remedy(**code, Of::Service("x")).is_none();
        assert_eq!(Code::ALL.iter().filter(without).collect::<Vec<_>>(), [&Code::SiblingFailed]);
    }

    #[test]
    fn a_blueprint_is_told_of_no_service() {
        for code in Code::ALL {
            let told = remedy(*code, Of::Blueprint).unwrap_or_default();
            assert!(!told.contains("motey service"), "{code}: {told}");
        }
        assert!(remedy(Code::EngineUnsupported, Of::Blueprint).is_some());
    }
}
