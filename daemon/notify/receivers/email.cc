// Mail by SMTP: RFC 5321, RFC 5322; authentication RFC 4954; STARTTLS RFC 3207.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "daemon/base/base64.h"
#include "daemon/base/internet_date.h"
#include "daemon/base/text.h"
#include "daemon/formats/mail_message.h"
#include "daemon/notify/receivers/receiver.h"

namespace tocsin::notify {
namespace {

constexpr std::size_t kMaxHeaderRunes = 2000;        // Of one header's value,
constexpr std::size_t kMaxAddressBytes = 100 << 10;  // unless it is a list of addresses.
constexpr std::size_t kMaxRecipients = 100;          // RFC 5321 lets every server refuse more.

bool IsThisMachine(std::string_view host) {
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

class EmailReceiver : public Receiver {
 public:
  EmailReceiver(const EmailConfig& settings, std::shared_ptr<const Templates> templates)
      : settings_(settings), templates_(std::move(templates)) {}

  std::shared_ptr<const Receiver> Renewed(FileSystem& files) const override {
    auto renewed = std::make_shared<EmailReceiver>(*this);
    renewed->settings_.auth_password.Renew(files);
    renewed->settings_.auth_secret.Renew(files);
    return renewed;
  }

  EncodedMessage Encode(const Notification& notification, const Occasion& occasion) const override {
    TextExpander text(*templates_, notification, occasion.now);
    EncodedMessage encoded;
    const auto from = Sender(text);
    const auto to = Recipients(text);
    if (!from.ok() || !to.ok()) {
      encoded.unsendable = (from.ok() ? to.error() : from.error()).message;
      encoded.notes = text.notes();
      return encoded;
    }
    HttpRequest& request = encoded.request;
    request.method = "MAIL";
    request.url = Url();
    request.tls = settings_.tls;
    request.mail = Envelope(*from, *to, occasion.settled_recipients);
    request.body = Message(notification, occasion, *from, text);
    encoded.notes = text.notes();
    return encoded;
  }

  AnswerRules answer_rules() const override {
    AnswerRules rules;
    rules.mail = true;
    return rules;
  }
  ChannelRate rate() const override { return {5, 20}; }
  std::string ChannelKey() const override {
    return fmt::format("email {} {} {} {}", Url(), settings_.auth_username, settings_.from,
                       settings_.to);
  }
  std::vector<std::string> Secrets() const override {
    std::vector<std::string> secrets;
    const std::string& user = settings_.auth_username;
    for (const std::string& secret :
         {settings_.auth_password.Reveal(), settings_.auth_secret.Reveal()}) {
      if (secret.empty()) continue;
      // A server may throw back what it was sent.
      // As it stands on the wire.
      secrets.push_back(EncodeBase64(settings_.auth_identity + '\0' + user + '\0' + secret));
      secrets.push_back(EncodeBase64(secret));
      secrets.push_back(secret);
    }
    return secrets;
  }

  std::vector<std::string> TemplateTexts() const override {
    std::vector<std::string> texts = {settings_.to, settings_.from, settings_.html, settings_.text};
    for (const auto& [name, value] : settings_.headers) texts.push_back(value);
    return texts;
  }

 private:
  std::string Url() const {
    const bool implicit = settings_.port == EmailConfig::kImplicitTlsPort;
    return fmt::format("{}://{}:{}", implicit ? "smtps" : "smtp", settings_.host, settings_.port);
  }

  Result<std::string> Sender(TextExpander& text) const {
    auto addresses = formats::ParseMailAddresses(text.Expand(settings_.from));
    if (!addresses.ok()) return addresses.error().WithContext("from");
    if (addresses->size() > 1) {
      return Error{ErrorCode::kInvalidArgument, "from: more than one address"};
    }
    return addresses->front().address;
  }

  // Each address once.
  Result<std::vector<std::string>> Recipients(TextExpander& text) const {
    auto addresses = formats::ParseMailAddresses(text.Expand(settings_.to));
    if (!addresses.ok()) return addresses.error().WithContext("to");
    std::vector<std::string> list;
    for (formats::MailAddress& one : *addresses) {
      if (std::find(list.begin(), list.end(), one.address) != list.end()) continue;
      list.push_back(std::move(one.address));
    }
    if (list.size() > kMaxRecipients) {
      text.AddNote(fmt::format("{} recipients: only the first {} get the mail", list.size(),
                               kMaxRecipients));
      list.resize(kMaxRecipients);
    }
    return list;
  }

  MailEnvelope Envelope(const std::string& from, const std::vector<std::string>& to,
                        const std::vector<std::string>& settled) const {
    MailEnvelope mail;
    mail.sender = from;
    std::copy_if(to.begin(), to.end(), std::back_inserter(mail.recipients),
                 [&](const std::string& address) {
                   return std::find(settled.begin(), settled.end(), address) == settled.end();
                 });
    // Nobody is left when the list was changed meanwhile: once more is better than never.
    if (mail.recipients.empty()) mail.recipients = to;
    mail.hello = settings_.hello;
    const bool implicit = settings_.port == EmailConfig::kImplicitTlsPort;
    mail.starttls = settings_.require_tls && !implicit;
    mail.user = settings_.auth_username;
    mail.identity = settings_.auth_identity;
    // A password does not go over the network for all to read; CRAM-MD5 does not show it.
    const bool readable = !implicit && !settings_.require_tls && !IsThisMachine(settings_.host);
    if (!readable) mail.password = settings_.auth_password;
    mail.secret =
        readable && settings_.auth_secret.empty() ? settings_.auth_password : settings_.auth_secret;
    return mail;
  }

  static std::string HeaderValue(const std::string& name, const std::string& value,
                                 TextExpander& text) {
    std::string expanded = text.Expand(value);
    // A list of addresses that is cut within one would be none.
    const bool whole = formats::IsMailAddressHeader(name) && expanded.size() <= kMaxAddressBytes &&
                       formats::ParseMailAddresses(expanded).ok();
    return whole ? expanded : text.Cut(expanded, kMaxHeaderRunes, name);
  }

  std::string Message(const Notification& notification, const Occasion& occasion,
                      const std::string& from, TextExpander& text) const {
    const WallTime date = occasion.created_at == WallTime{} ? occasion.now : occasion.created_at;
    // The same for every attempt, so that a mail that comes twice is recognised.
    const std::string id =
        Sha256Hex(fmt::format("{}\n{}\n{}\n{}", occasion.integration, notification.group_key,
                              ToUnixMillis(date), notification.Status()))
            .substr(0, 32);
    formats::MailMessage mail;
    bool has_id = false;
    bool has_date = false;
    for (const auto& [name, value] : settings_.headers) {
      has_id = has_id || name == "Message-Id";
      has_date = has_date || name == "Date";
      mail.headers.emplace_back(name, HeaderValue(name, value, text));
    }
    if (!has_id) {
      mail.headers.emplace_back("Message-Id",
                                fmt::format("<{}@{}>", id, from.substr(from.rfind('@') + 1)));
    }
    if (!has_date) mail.headers.emplace_back("Date", InternetDate(date, "+0000"));
    mail.text = text.Expand(settings_.text);
    // Of HTML that failed (it may be too long) the text part stands alone.
    const auto html = text.ExpandHtml(settings_.html);
    mail.html = html.value_or("");
    if (!html && mail.text.empty()) mail.text = "(the template of this mail cannot be expanded)";
    mail.boundary = "=_" + id;
    return formats::EncodeMail(mail);
  }

  EmailConfig settings_;
  std::shared_ptr<const Templates> templates_;
};

}  // namespace

std::shared_ptr<const Receiver> MakeEmail(const EmailConfig& settings,
                                          std::shared_ptr<const Templates> templates) {
  return std::make_shared<EmailReceiver>(settings, std::move(templates));
}

}  // namespace tocsin::notify
